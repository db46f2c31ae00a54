// What Linux says about the machine while something is timed: who used the cores, and how much memory the page took.
import { readFileSync, readdirSync } from "node:fs";
import os from "node:os";

/// Ticks a second in /proc.
const HZ = 100;

export const CORES = os.cpus().length;

/// The machine, in words.
export const machine = () => {
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${os.cpus()[0].model.trim()}, ${CORES} cores, ${memory} GiB, ${os.type()} ${os.release()}`;
};

const processes = () => {
  const all = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
      all.set(+pid, { parent: +fields[1], ticks: +fields[11] + +fields[12] });
    } catch { /* it ended */ }
  }
  return all;
};

/// This process and all that descend from it.
const family = (all) => {
  const members = new Set([process.pid]);
  for (let grew = true; grew;) {
    grew = false;
    for (const [pid, { parent }] of all) {
      if (!members.has(pid) && members.has(parent)) {
        members.add(pid);
        grew = true;
      }
    }
  }
  return members;
};

/// CPU seconds so far: the machine's, ours, and those that its host took.
const cpu = () => {
  const line = readFileSync("/proc/stat", "utf8").split("\n")[0].trim().split(/\s+/).slice(1).map(Number);
  const [user, nice, system, , , irq, soft, steal] = line;
  const all = processes();
  const own = [...family(all)].reduce((sum, pid) => sum + (all.get(pid)?.ticks ?? 0), 0);
  return { time: performance.now() / 1000, busy: (user + nice + system + irq + soft) / HZ, own: own / HZ, steal: steal / HZ };
};

/// Runs something; beside its value, how many cores we, others and the host used meanwhile.
export const watched = async (work) => {
  const before = cpu();
  const value = await work();
  const after = cpu();
  const rate = (key) => (after[key] - before[key]) / (after.time - before.time);
  const [busy, own, steal] = ["busy", "own", "steal"].map(rate);
  return { value, own_cpu: own, foreign_cpu: Math.max(0, busy - own), steal_cpu: steal };
};

/// Peak resident memory in MiB: of the page's process, and of all the browser's processes, shared pages counted repeatedly.
export const peak = () => {
  let renderer = 0, browser = 0;
  for (const pid of family(processes())) {
    if (pid === process.pid) continue;
    try {
      const mib = +/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1] / 1024;
      browser += mib;
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer")) renderer = Math.max(renderer, mib);
    } catch { /* it ended */ }
  }
  return { renderer_mib: Math.round(renderer), browser_mib: Math.round(browser) };
};
