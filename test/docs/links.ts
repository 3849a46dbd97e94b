/** Links of a page, and the anchors that its headings make. */

export interface Link {
  readonly line: number;
  readonly target: string;
}

/** The page without what is not text: fenced blocks keep their lines, so that lines still count. */
const withoutBlocks = (text: string): string =>
  text.replaceAll(/^( *)(```+)[^\n]*\n[\s\S]*?^ *\2 *$/gm, (block) => block.replaceAll(/[^\n]/g, ''));

/** Inline links and images, `[text](target)`; code spans hold none. */
export function linksOf(text: string): readonly Link[] {
  const plain = withoutBlocks(text).replaceAll(/`[^`\n]*`/g, (code) => 'x'.repeat(code.length));
  return [...plain.matchAll(/\]\(([^()\s]+)\)|(?:href|src|srcset)="([^"]+)"/g)].map((match) => ({
    line: plain.slice(0, match.index).split('\n').length,
    target: match[1] ?? match[2] ?? '',
  }));
}

/** As GitHub makes them: of the rendered words, lower case, blanks to hyphens, all but letters and digits gone. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutBlocks(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const words = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(words) ?? 0;
    seen.set(words, count + 1);
    anchors.add(count === 0 ? words : `${words}-${count}`);
  }
  for (const [, name = ''] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(name);
  return anchors;
}
