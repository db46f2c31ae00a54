"""Runs train.py and keeps what each process ended with: FOLDER/rank0.safetensors, FOLDER/rank1.safetensors, ...

    torchrun --nproc_per_node 2 ranks.py FOLDER --taste ... (train.py's arguments)
"""

import sys
from pathlib import Path

from peft import get_peft_model_state_dict
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import train  # noqa: E402

trainer = train.main(sys.argv[2:])
rank = trainer.accelerator.process_index
tensors = get_peft_model_state_dict(trainer.accelerator.unwrap_model(trainer.model))
save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, Path(sys.argv[1]) / f"rank{rank}.safetensors")
trainer.accelerator.end_training()
