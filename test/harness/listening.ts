import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTEN = '0A';

/** Inodes of the sockets that a process holds. */
function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed between the listing and the look at it.
    }
  }
  return inodes;
}

/** The kernel writes an address as 32-bit words of the machine's byte order (little endian here). */
function parseAddress(hex: string): string {
  const bytes = [...Buffer.from(hex, 'hex')];
  const words = Array.from({ length: bytes.length / 4 }, (_, i) =>
    bytes.slice(i * 4, i * 4 + 4).toReversed(),
  );
  if (words.length === 1) return (words[0] ?? []).join('.');
  return words
    .flat()
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .replace(/(.{4})(?=.)/g, '$1:');
}

/** Addresses (without ports) that a process accepts TCP connections on. Linux only. */
export function listeningAddresses(pid: number): readonly string[] {
  const own = socketInodes(pid);
  const addresses = new Set<string>();
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === LISTEN && own.has(inode)) addresses.add(parseAddress(local.split(':')[0] ?? ''));
    }
  }
  return [...addresses];
}
