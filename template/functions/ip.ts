/** IP addresses as Go's package net reads and writes them. */
import { isIP } from 'node:net';

/** The 4 or 16 bytes of an address as text; an IPv4 address in IPv6 is written as IPv4. */
export function formatIp(bytes: string): string {
  const octets = Array.from(bytes, (byte) => byte.charCodeAt(0));
  if (octets.length === 4) return octets.join('.');
  const isMapped =
    octets.slice(0, 10).every((octet) => octet === 0) && octets[10] === 255 && octets[11] === 255;
  if (isMapped) return octets.slice(12).join('.');
  const groups = Array.from(
    { length: 8 },
    (_, index) => (octets[2 * index] ?? 0) * 256 + (octets[2 * index + 1] ?? 0),
  );
  const text = groups.map((group) => group.toString(16)).join(':');
  // The longest run of zeros, the first of equals, is left out; a single zero is not.
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort(
    (a, b) => b[0].replace(/^:/, '').length - a[0].replace(/^:/, '').length,
  );
  const run = runs[0];
  if (run === undefined) return text;
  return `${text.slice(0, run.index)}::${text.slice(run.index + run[0].length).replace(/^:/, '')}`;
}

/** The 4 bytes of an IPv4 address (of one in IPv6 as well), or 16; undefined if the text is no address. */
export function parseIp(text: string): string | undefined {
  const version = isIP(text);
  if (version === 0 || text.includes('%')) return undefined;
  if (version === 4) return String.fromCharCode(...text.split('.').map(Number));
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain =
    tail === null
      ? text
      : `${tail[1]}${(Number(tail[2]) * 256 + Number(tail[3])).toString(16)}:${(Number(tail[4]) * 256 + Number(tail[5])).toString(16)}`;
  const [left = '', right] = plain.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(left), groups(right ?? '')];
  const gap: number[] = [];
  for (let index = before.length + after.length; index < 8; index++) gap.push(0);
  const bytes = [...before, ...gap, ...after]
    .map((group) => String.fromCharCode(group >> 8, group & 255))
    .join('');
  return bytes.startsWith(`${'\0'.repeat(10)}\xff\xff`) ? bytes.slice(12) : bytes;
}
