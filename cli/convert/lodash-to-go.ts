/**
 * The Go template that gives what a lodash template gives, where that is simple: values of `data`, members of
 * JSON.parse(...), the common methods of strings, conditions, and loops over arrays. Everything else is named.
 */
import type {
  AnyNode,
  ArrowFunctionExpression,
  CallExpression,
  FunctionExpression,
  MemberExpression,
} from 'acorn';
import { quoteMeta } from '../../api/go-regexp.ts';
import { parseLodash } from '../../template/lodash/lodash.ts';
import { PRINT_ESCAPED, PRINT_TEXT, PRINT_VALUE } from '../../template/lodash/source.ts';

export type Translation =
  | {
      readonly ok: true;
      readonly text: string;
      /** What may come out differently for some values. */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly reason: string };

/** What may come out differently, said once a text. */
const NOTES = {
  numbers:
    'numbers of JSON from 1,000,000 on are printed as 1e+06: write {{ int64 (...) }} where there are such numbers',
  order: 'members of JSON objects come in alphabetical order',
  missing: 'a member that the JSON does not have is an error, and was printed as nothing',
} as const;

class Untranslatable extends Error {}

/** @param keys keys that are certainly fetched; others may be missing, and are then printed as nothing */
export function lodashToGo(text: string, keys: ReadonlySet<string>): Translation {
  return translate(text, keys, (translator, body) => translator.statements(body));
}

/**
 * The same for a value whose result is base64 by its author's doing, as template.data of kubernetes-external-secrets
 * has them; the Go template gives what is encoded.
 */
export function lodashBase64ToGo(text: string, keys: ReadonlySet<string>): Translation {
  return translate(text, keys, (translator, body) => translator.encoded(body));
}

function translate(
  text: string,
  keys: ReadonlySet<string>,
  make: (translator: Translator, body: readonly AnyNode[]) => string,
): Translation {
  const parsed = parseLodash(text);
  if (!('program' in parsed)) return { ok: false, reason: parsed.message };
  const translator = new Translator(parsed.source.texts, parsed.source.program, keys);
  try {
    const go = make(translator, parsed.program.body);
    return { ok: true, text: go, notes: [...translator.notes].map((note) => NOTES[note]) };
  } catch (error) {
    if (error instanceof Untranslatable) return { ok: false, reason: error.message };
    throw error;
  }
}

/** Text that a Go template prints as it is. */
export const goText = (text: string): string => text.replaceAll('{{', '{{ "{{" }}');

const quoted = (text: string): string => JSON.stringify(text);
const IDENTIFIER = /^[A-Za-z_]\w*$/;
/** What needs no parentheses as an argument. */
const OPERAND = /^(?:[.$][\w.]*|-?\d[\w.]*|true|false|"(?:[^"\\]|\\.)*")$/;
const operand = (go: string): string => (OPERAND.test(go) ? go : `(${go})`);

/** Methods of strings without arguments, as functions. */
const TEXT_METHODS: Readonly<Record<string, string>> = {
  toLowerCase: 'lower',
  toUpperCase: 'upper',
  trim: 'trim',
};

class Translator {
  readonly notes = new Set<keyof typeof NOTES>();
  readonly #texts: readonly string[];
  readonly #program: string;
  readonly #keys: ReadonlySet<string>;

  constructor(texts: readonly string[], program: string, keys: ReadonlySet<string>) {
    this.#texts = texts;
    this.#program = program;
    this.#keys = keys;
  }

  statements(nodes: readonly AnyNode[]): string {
    return nodes.map((node) => this.#statement(node)).join('');
  }

  encoded(nodes: readonly AnyNode[]): string {
    const values: AnyNode[] = [];
    for (const node of nodes) {
      const call = node.type === 'ExpressionStatement' ? node.expression : node;
      const printed = printedBy(call);
      if (printed === undefined) this.#cannot(node);
      // Kubernetes passes over line breaks in base64.
      if (printed.how !== PRINT_TEXT) values.push(printed.value);
      else if (this.#textOf(printed.value).trim() !== '') this.#cannot(node, 'base64 of several parts');
    }
    const [value] = values;
    if (value === undefined || values.length > 1) throw new Untranslatable('base64 of several parts');
    const bytes = this.#encodedBytes(value);
    return bytes === undefined ? `{{ ${operand(this.#expression(value))} | b64dec }}` : this.#print(bytes);
  }

  /** `x` of `Buffer.from(x).toString("base64")`. */
  #encodedBytes(node: AnyNode): AnyNode | undefined {
    if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return undefined;
    const [encoding] = node.arguments;
    const source = node.callee.object;
    if (nameOf(node.callee) !== 'toString' || textLiteral(encoding) !== 'base64') return undefined;
    if (
      source.type !== 'CallExpression' ||
      globalOf(source) !== 'Buffer.from' ||
      source.arguments.length !== 1
    )
      return undefined;
    return source.arguments[0];
  }

  #cannot(
    node: AnyNode,
    what = `\`${this.#program.slice(node.start, node.end).trim().slice(0, 60)}\``,
  ): never {
    throw new Untranslatable(`${what} has no simple counterpart in a Go template`);
  }

  #textOf(index: AnyNode): string {
    return index.type === 'Literal' ? (this.#texts[Number(index.value)] ?? '') : '';
  }

  #statement(node: AnyNode): string {
    switch (node.type) {
      case 'EmptyStatement':
        return '';
      case 'BlockStatement':
        return this.statements(node.body);
      case 'VariableDeclaration':
        return node.declarations
          .map(({ id, init }) => {
            if (id.type !== 'Identifier' || !init) return this.#cannot(node);
            return `{{ $${this.#variable(id.name, id)} := ${this.#expression(init)} }}`;
          })
          .join('');
      case 'IfStatement': {
        const otherwise = node.alternate ? `{{ else }}${this.#statement(node.alternate)}` : '';
        return `{{ if ${this.#condition(node.test)} }}${this.#statement(node.consequent)}${otherwise}{{ end }}`;
      }
      case 'ForOfStatement': {
        const declared = node.left.type === 'VariableDeclaration' ? node.left.declarations[0]?.id : undefined;
        if (declared === undefined) return this.#cannot(node);
        return this.#range(node.right, declared, undefined, this.#statement(node.body));
      }
      case 'ExpressionStatement':
        return this.#effect(node.expression);
      default:
        return this.#cannot(node);
    }
  }

  #effect(node: AnyNode): string {
    const printed = printedBy(node);
    if (printed?.how === PRINT_TEXT) return goText(this.#textOf(printed.value));
    if (printed?.how === PRINT_VALUE) return this.#print(printed.value);
    if (printed !== undefined) return this.#cannot(printed.value, 'escaping for HTML');
    if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return this.#cannot(node);
    const [called] = node.arguments;
    if (nameOf(node.callee) !== 'forEach' || called === undefined || !isFunction(called))
      return this.#cannot(node);
    if (called.body.type !== 'BlockStatement') return this.#cannot(called);
    const [item, index] = called.params;
    return this.#range(node.callee.object, item, index, this.statements(called.body.body));
  }

  /** A loop over an array, or over the members of an object. */
  #range(over: AnyNode, item: AnyNode | undefined, index: AnyNode | undefined, body: string): string {
    const global = over.type === 'CallExpression' ? globalOf(over) : undefined;
    const members = over.type === 'CallExpression' ? over.arguments[0] : undefined;
    const range = (
      key: AnyNode | null | undefined,
      value: AnyNode | null | undefined,
      list: AnyNode,
    ): string =>
      `{{ range ${this.#bound(key)}, ${this.#bound(value)} := ${this.#expression(list)} }}${body}{{ end }}`;
    if (global === undefined || members === undefined) return range(index, item, over);
    if (index !== undefined) return this.#cannot(over);
    this.notes.add('order');
    if (global === 'Object.keys') return range(item, undefined, members);
    if (global === 'Object.values') return range(undefined, item, members);
    if (global !== 'Object.entries' || item?.type !== 'ArrayPattern') return this.#cannot(over);
    return range(item.elements[0], item.elements[1], members);
  }

  #bound(pattern: AnyNode | null | undefined): string {
    if (pattern === null || pattern === undefined) return '$_';
    return pattern.type === 'Identifier'
      ? `$${this.#variable(pattern.name, pattern)}`
      : this.#cannot(pattern);
  }

  #variable(name: string, node: AnyNode): string {
    return IDENTIFIER.test(name) ? name : this.#cannot(node);
  }

  /** What prints a value, as statements of a Go template. */
  #print(node: AnyNode): string {
    const literal = textLiteral(node);
    if (literal !== undefined) return goText(literal);
    if (node.type === 'TemplateLiteral')
      return node.quasis
        .map(({ value }, index) => {
          const expression = node.expressions[index];
          return goText(value.cooked ?? '') + (expression === undefined ? '' : this.#print(expression));
        })
        .join('');
    if (node.type === 'BinaryExpression' && this.#isConcatenation(node))
      return this.#print(node.left) + this.#print(node.right);
    if (node.type === 'ConditionalExpression')
      return `{{ if ${this.#condition(node.test)} }}${this.#print(node.consequent)}{{ else }}${this.#print(node.alternate)}{{ end }}`;
    // toYaml ends without the line break that dump has.
    if (node.type === 'CallExpression' && /^yaml\.(?:safeD|d)ump$/.test(globalOf(node) ?? '')) {
      this.notes.add('order');
      return `{{ toYaml ${operand(this.#argument(node))} }}\n`;
    }
    const go = this.#expression(node);
    // What is a number is seen only when there are values.
    if (/fromJson|^\$/.test(go) && !/^(?:toRawJson|len) /.test(go)) this.notes.add('numbers');
    return `{{ ${go} }}`;
  }

  /** True for a `+` that certainly puts texts together. */
  #isConcatenation(node: AnyNode): boolean {
    if (node.type === 'TemplateLiteral' || textLiteral(node) !== undefined) return true;
    if (isData(node)) return true;
    return (
      node.type === 'BinaryExpression' &&
      node.operator === '+' &&
      (this.#isConcatenation(node.left) || this.#isConcatenation(node.right))
    );
  }

  #condition(node: AnyNode): string {
    if (node.type === 'UnaryExpression' && node.operator === '!')
      return `not ${operand(this.#condition(node.argument))}`;
    if (node.type === 'LogicalExpression' && node.operator !== '??')
      return `${node.operator === '&&' ? 'and' : 'or'} ${operand(this.#condition(node.left))} ${operand(this.#condition(node.right))}`;
    if (node.type === 'BinaryExpression') {
      const name = /^[=!]==?$/.test(node.operator)
        ? node.operator.startsWith('=')
          ? 'eq'
          : 'ne'
        : undefined;
      // Go compares values of one type only.
      if (
        name === undefined ||
        (textLiteral(node.right) === undefined && textLiteral(node.left) === undefined)
      )
        return this.#cannot(node);
      return `${name} ${operand(this.#expression(node.left))} ${operand(this.#expression(node.right))}`;
    }
    return this.#expression(node);
  }

  #expression(node: AnyNode): string {
    switch (node.type) {
      case 'Literal':
        if (typeof node.value === 'string') return quoted(node.value);
        return typeof node.value === 'number' || typeof node.value === 'boolean'
          ? String(node.value)
          : this.#cannot(node);
      case 'Identifier':
        return node.name === 'data' ? '.' : `$${this.#variable(node.name, node)}`;
      case 'MemberExpression':
        return this.#member(node);
      case 'ChainExpression':
        return this.#cannot(node);
      case 'LogicalExpression':
        if (node.operator === '&&' || !isData(node.left)) return this.#cannot(node);
        return `${operand(this.#expression(node.left))} | default ${operand(this.#expression(node.right))}`;
      case 'CallExpression':
        return this.#call(node);
      default:
        return this.#cannot(node);
    }
  }

  #member(node: MemberExpression): string {
    const { object, property, computed } = node;
    const name = nameOf(node) ?? textLiteral(property);
    if (object.type === 'Identifier' && object.name === 'data') {
      if (name === undefined) return this.#cannot(node);
      const certain = this.#keys.has(name) && IDENTIFIER.test(name);
      // `index` gives nothing for a key that is not there, as lodash does.
      return certain ? `.${name}` : `index . ${quoted(name)}`;
    }
    const base = this.#expression(object);
    if (name === 'length') return `len ${operand(base)}`;
    this.notes.add('missing');
    if (name !== undefined) {
      if (!IDENTIFIER.test(name)) return `index ${operand(base)} ${quoted(name)}`;
      // Of `(fromJson .x).a` a further member needs no parentheses.
      const chained = object.type === 'MemberExpression' && /\)(?:\.\w+)+$/.test(base);
      return `${chained ? base : operand(base)}.${name}`;
    }
    if (!computed || property.type !== 'Literal' || typeof property.value !== 'number')
      return this.#cannot(node);
    return `index ${operand(base)} ${property.value}`;
  }

  #argument({ arguments: [argument] }: CallExpression): string {
    if (argument === undefined) throw new Untranslatable('a call without its argument');
    return this.#expression(argument);
  }

  #call(node: CallExpression): string {
    const global = globalOf(node);
    if (global === 'JSON.parse') return `fromJson ${operand(this.#argument(node))}`;
    if (global === 'JSON.stringify' && node.arguments.length === 1) {
      this.notes.add('order');
      return `toRawJson ${operand(this.#argument(node))}`;
    }
    if (global === 'String') return this.#argument(node);
    if (global !== undefined || node.callee.type !== 'MemberExpression') return this.#cannot(node);
    return this.#method(node, node.callee);
  }

  #method(node: CallExpression, callee: MemberExpression): string {
    const name = nameOf(callee) ?? '';
    const [first, second] = node.arguments;
    const bytes = this.#encodedBytes(node);
    if (bytes !== undefined) return `b64enc ${operand(this.#expression(bytes))}`;
    const { object } = callee;
    if (name === 'toString' && object.type === 'CallExpression' && globalOf(object) === 'Buffer.from') {
      const [source, encoding] = object.arguments;
      const plain = first === undefined || ['utf8', 'utf-8'].includes(textLiteral(first) ?? '');
      if (source === undefined || !plain || textLiteral(encoding) !== 'base64') return this.#cannot(node);
      return `b64dec ${operand(this.#expression(source))}`;
    }
    if (name === 'toString' && first === undefined) return this.#expression(object);
    const known = TEXT_METHODS[name];
    if (known !== undefined && Object.hasOwn(TEXT_METHODS, name))
      return `${known} ${operand(this.#expression(object))}`;
    const replacement = textLiteral(second);
    if (replacement === undefined || replacement.includes('$')) return this.#cannot(node);
    const once = name === 'replace' ? textLiteral(first) : undefined;
    if (once !== undefined) {
      const pattern = quoted(`(?s)^(.*?)${quoteMeta(once)}`);
      return `regexReplaceAll ${pattern} ${operand(this.#expression(object))} ${quoted(`$\{1}${replacement}`)}`;
    }
    const pattern = this.#pattern(name, first);
    if (pattern === undefined) return this.#cannot(node);
    return `replace ${quoted(pattern)} ${quoted(replacement)} ${operand(this.#expression(object))}`;
  }

  /** The text of which every occurrence is replaced. */
  #pattern(method: string, node: AnyNode | undefined): string | undefined {
    if (node?.type === 'Literal' && node.regex && (method === 'replace' || method === 'replaceAll')) {
      const { pattern, flags } = node.regex;
      const text = pattern.replaceAll(/\\([^\w\s])/g, '$1');
      return flags === 'g' && !/[\\^$.*+?()[\]{}|]/.test(pattern.replaceAll(/\\[^\w\s]/g, ''))
        ? text
        : undefined;
    }
    return method === 'replaceAll' ? textLiteral(node) : undefined;
  }
}

interface Printed {
  readonly how: string;
  readonly value: AnyNode;
}

function printedBy(node: AnyNode): Printed | undefined {
  if (node.type !== 'CallExpression' || node.callee.type !== 'Identifier') return undefined;
  const { name } = node.callee;
  const [value] = node.arguments;
  if (value === undefined || ![PRINT_TEXT, PRINT_VALUE, PRINT_ESCAPED].includes(name)) return undefined;
  return { how: name, value };
}

/** The name behind the dot. */
const nameOf = ({ computed, property }: MemberExpression): string | undefined =>
  !computed && property.type === 'Identifier' ? property.name : undefined;

const textLiteral = (node: AnyNode | undefined): string | undefined =>
  node?.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;

/** `data.x`, which is a text. */
const isData = (node: AnyNode): boolean =>
  node.type === 'MemberExpression' && node.object.type === 'Identifier' && node.object.name === 'data';

const isFunction = (node: AnyNode): node is ArrowFunctionExpression | FunctionExpression =>
  node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression';

const NAMESPACES = new Set(['JSON', 'Object', 'Buffer', 'yaml', 'Math', 'Array', '_']);

/** `JSON.parse`, `String`: the function by name that is called. */
function globalOf({ callee }: CallExpression): string | undefined {
  if (callee.type === 'Identifier') return callee.name;
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return undefined;
  const { name } = callee.object;
  return NAMESPACES.has(name) ? `${name}.${nameOf(callee) ?? '?'}` : undefined;
}
