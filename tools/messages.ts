/** The texts in a source: its strings and templates, as far as they are fixed. */
import { parseSync } from '@swc/core';

/** Between two parts stands what is filled in. */
export interface Message {
  readonly parts: readonly string[];
}

/** The node of a syntax tree, as far as it is looked at. */
interface SyntaxNode {
  readonly type?: unknown;
  readonly value?: unknown;
  readonly quasis?: readonly { readonly cooked?: unknown }[];
}

/** @param source TypeScript */
export function messagesOf(source: string): readonly Message[] {
  const found: Message[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { type, value, quasis = [] } = node as SyntaxNode;
    if (type === 'StringLiteral' && typeof value === 'string') found.push({ parts: [value] });
    if (type === 'TemplateLiteral')
      found.push({ parts: quasis.map(({ cooked }) => (typeof cooked === 'string' ? cooked : '')) });
    for (const child of Object.values(node)) {
      if (Array.isArray(child)) for (const one of child) visit(one);
      else visit(child);
    }
  };
  visit(parseSync(source, { syntax: 'typescript' }).body);
  return found;
}
