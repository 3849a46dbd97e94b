/**
 * Rendezvous hashing: each object belongs to the member that scores highest for it. When a member comes or goes, only
 * objects move that it gains or had.
 */

/** FNV-1a over UTF-16 code units, 32 bits. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}

/** MurmurHash3's finaliser: each bit of the input reaches each bit of the output. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Some members, prepared to be asked often. */
export class Rendezvous {
  /** Sorted, each once. */
  readonly members: readonly string[];
  readonly #seeds: readonly number[];

  constructor(members: Iterable<string>) {
    this.members = [...new Set(members)].sort();
    this.#seeds = this.members.map((member) => mix(fnv1a(member)));
  }

  /** The member that has this key; undefined if there are no members. */
  ownerOf(key: string): string | undefined {
    const hash = mix(fnv1a(key));
    let best = -1;
    let owner: string | undefined;
    for (const [index, seed] of this.#seeds.entries()) {
      const score = mix(hash ^ seed);
      // On a tie the first in order, so that everybody says the same.
      if (score <= best) continue;
      best = score;
      owner = this.members[index];
    }
    return owner;
  }
}
