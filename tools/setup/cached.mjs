/** One way to fill a folder of the cache: once, whole or not at all, also with two set-ups at a time. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { showProgress } from './progress.mjs';

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The process that holds the lock, or undefined once it is gone. */
function holderOf(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    return isAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

// The lock only saves a second build of minutes; what keeps the cache whole is the rename at the end.
// So a lock whose holder died may be taken over without further ceremony.
async function withLock(lock, title, work) {
  let done;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (holderOf(lock) === undefined) rmSync(lock, { force: true });
      else {
        done ??= showProgress(`${title}: waiting for another set-up that does the same`);
        await sleep(500);
      }
    }
  }
  done?.();
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

/**
 * Makes sure that `target` exists; `fill` is called with an empty folder that becomes `target` when it
 * returns. What an interrupted set-up left of the same target is removed first.
 * @param {string} target absolute path
 * @param {string} title for messages
 * @param {(directory: string) => Promise<void>} fill
 */
export async function ensureCached(target, title, fill) {
  if (existsSync(target)) return;
  const parent = dirname(target);
  mkdirSync(parent, { recursive: true });
  await withLock(`${target}.lock`, title, async () => {
    if (existsSync(target)) return;
    const prefix = `${basename(target)}.part-`;
    for (const name of readdirSync(parent)) {
      if (name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length)))) {
        rmSync(join(parent, name), { recursive: true, force: true });
      }
    }
    const part = join(parent, prefix + process.pid);
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part);
    try {
      await fill(part);
      renameSync(part, target);
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
  });
}
