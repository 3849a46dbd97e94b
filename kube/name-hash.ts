/** A number that stands for a name where names themselves would take too much memory. */
import { randomInt } from 'node:crypto';

/**
 * Makes a function from text to integers of 53 bits: with a million names the chance that any two share one is below
 * 1 in 10,000. Each is seeded at random, so that nobody can choose names that collide.
 */
export function nameHash(): (text: string) => number {
  const [seed1, seed2] = [randomInt(2 ** 32), randomInt(2 ** 32)];
  // Two multiplicative hashes that are mixed at the end (the way of murmur3 and cyrb53).
  return (text) => {
    let [a, b] = [seed1, seed2];
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      a = Math.imul(a ^ unit, 0x85ebca6b);
      b = Math.imul(b ^ unit, 0xc2b2ae35);
    }
    a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
    return (b & 0x1f_ffff) * 2 ** 32 + (a >>> 0);
  };
}
