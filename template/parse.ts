/**
 * The parser of Go's text/template: from source to trees, one for the source itself and one for each `define` and
 * `block`. It refuses what Go refuses, with Go's words.
 */
import { numberValues } from './constant.ts';
import { budgetError, type Position, TemplateError } from './errors.ts';
import { sprintf } from './fmt.ts';
import { GoError } from './function.ts';
import { Lexer, type Token, type TokenType, tokenText } from './lex.ts';
import {
  type BranchNode,
  type CommandNode,
  type ListNode,
  nodeText,
  type OperandNode,
  type PipeNode,
  type StatementNode,
  type VariableNode,
} from './nodes.ts';
import { unquote } from './quote.ts';
import { Tokens } from './tokens.ts';

/**
 * How deep parentheses, blocks and chains of `else if` may be nested, all together. Go allows 10,000 parentheses and
 * any number of blocks; here each level is some frames of a stack that must never overflow.
 */
const MAX_NESTING = 250;

/**
 * How much one source may hold. Go has no such limit; here the API server waits while a template is parsed, and a
 * source of this size takes some tens of milliseconds.
 */
const MAX_TOKENS = 50_000;

/** The trees of one source by name; that of the source itself is under the name of the template. */
export type Trees = ReadonlyMap<string, ListNode>;

export interface ParseOptions {
  readonly left?: string;
  readonly right?: string;
  /** True for the name of a function. */
  readonly isFunction: (name: string) => boolean;
}

/**
 * Parses `source`.
 * @param name of the template, a Go string; it stands in every error
 * @param source a Go string
 * @throws TemplateError TEMPLATE_PARSE, or TEMPLATE_BUDGET where it is nested too deep or has too many tokens
 */
export function parse(name: string, source: string, options: ParseOptions): Trees {
  return new Parser(name, source, options).run();
}

/** 0-based byte column as Go counts it. */
export const columnAt = (source: string, offset: number): number =>
  offset === 0 ? 0 : offset - (source.lastIndexOf('\n', offset - 1) + 1);

/** What ends a list of statements. */
interface Ending {
  readonly kind: 'end' | 'else';
  readonly position: number;
}

const isEnding = (node: StatementNode | Ending): node is Ending =>
  node.kind === 'end' || node.kind === 'else';

/** What belongs to the definition that is being parsed; a `define` within another starts afresh. */
interface Scope {
  variables: string[];
  ranges: number;
  /** Line of the left delimiter of the action being parsed; 0 outside of one. */
  actionLine: number;
}

const newScope = (): Scope => ({ variables: ['$'], ranges: 0, actionLine: 0 });

type ControlKind = BranchNode['kind'];

const OPERANDS: ReadonlySet<TokenType> = new Set([
  'bool',
  'charConstant',
  'complex',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'rawString',
  'string',
  'variable',
  'leftParen',
]);

const NOT_EXECUTABLE: ReadonlySet<OperandNode['kind']> = new Set(['bool', 'dot', 'nil', 'number', 'string']);

/** Empty of everything but white space. */
const isBlank = (list: ListNode): boolean =>
  list.nodes.every((node) => node.kind === 'text' && /^[\t\n\v\f\r \x85\xa0]*$/.test(node.text));

class Parser {
  readonly #name: string;
  readonly #source: string;
  readonly #isFunction: (name: string) => boolean;
  readonly #tokens: Tokens;
  readonly #trees = new Map<string, ListNode>();
  #scope = newScope();
  #depth = 0;

  constructor(name: string, source: string, { left, right, isFunction }: ParseOptions) {
    this.#name = name;
    this.#source = source;
    this.#isFunction = isFunction;
    const plainWords = new Set(['break', 'continue'].filter(isFunction));
    this.#tokens = new Tokens(new Lexer(source, left, right, plainWords), MAX_TOKENS, () => {
      throw budgetError(`has more than ${MAX_TOKENS} tokens`, 'parse', this.#here());
    });
  }

  run(): Trees {
    const nodes: StatementNode[] = [];
    const position = this.#tokens.peek().position;
    while (this.#tokens.peek().type !== 'eof') {
      if (this.#tokens.peek().type === 'leftDelim') {
        const delim = this.#tokens.next();
        const token = this.#tokens.nextNonSpace();
        if (token.type === 'define') {
          this.#define();
          continue;
        }
        this.#tokens.back(token, delim);
      }
      const node = this.#textOrAction();
      if (isEnding(node)) this.#fail(`unexpected {{${node.kind}}}`);
      nodes.push(node);
    }
    this.#add(this.#name, { kind: 'list', position, nodes });
    return this.#trees;
  }

  #here(): Position {
    const { line, position } = this.#tokens.latest;
    return {
      name: this.#name,
      line,
      column: columnAt(this.#source, position),
      offset: position,
    };
  }

  #fail(format: string, ...args: readonly string[]): never {
    const goText = `template: ${this.#name}:${this.#tokens.latest.line}: ${sprintf(format, args)}`;
    throw new TemplateError('TEMPLATE_PARSE', { phase: 'parse', goText, position: this.#here() });
  }

  #unexpected(token: Token, context: string): never {
    if (token.type !== 'error') this.#fail('unexpected %s in %s', tokenText(token), context);
    const { actionLine } = this.#scope;
    let extra = '';
    if (actionLine !== 0 && actionLine !== token.line) {
      extra = ` in action started at ${this.#name}:${actionLine}`;
      if (token.text.endsWith(' action')) extra = extra.slice(' in action'.length);
    }
    this.#fail('%s%s', token.text, extra);
  }

  #expect(type: TokenType, context: string): Token {
    const token = this.#tokens.nextNonSpace();
    if (token.type !== type) this.#unexpected(token, context);
    return token;
  }

  /** Goes one level deeper for as long as `work` takes. */
  #nested<Result>(work: () => Result): Result {
    if (++this.#depth > MAX_NESTING) {
      throw budgetError(`nested more than ${MAX_NESTING} deep`, 'parse', this.#here());
    }
    const result = work();
    this.#depth--;
    return result;
  }

  /** A definition without content never replaces another, and one with content only an empty one. */
  #add(name: string, list: ListNode): void {
    const known = this.#trees.get(name);
    if (known === undefined || isBlank(known)) this.#trees.set(name, list);
    else if (!isBlank(list)) this.#fail('template: multiple definition of template %q', name);
  }

  /** Parses statements up to `end` as the body of a template of its own. */
  #body(scope: Scope, context: string): ListNode {
    const outer = this.#scope;
    this.#scope = scope;
    const { list, ending } = this.#nested(() => this.#list());
    if (ending.kind !== 'end') this.#fail('unexpected %s in %s', `{{${ending.kind}}}`, context);
    this.#scope = outer;
    return list;
  }

  /** `{{define "name"}} … {{end}}`, the keyword being past. */
  #define(): void {
    const context = 'define clause';
    const outer = this.#scope;
    this.#scope = newScope();
    const token = this.#tokens.nextNonSpace();
    if (token.type !== 'string' && token.type !== 'rawString') this.#unexpected(token, context);
    const name = this.#unquote(token);
    this.#expect('rightDelim', context);
    this.#add(name, this.#body(this.#scope, context));
    this.#scope = outer;
  }

  #list(): { list: ListNode; ending: Ending } {
    const { position } = this.#tokens.peekNonSpace();
    const nodes: StatementNode[] = [];
    while (this.#tokens.peekNonSpace().type !== 'eof') {
      const node = this.#textOrAction();
      if (isEnding(node)) {
        return { list: { kind: 'list', position, nodes }, ending: node };
      }
      nodes.push(node);
    }
    this.#fail('unexpected EOF');
  }

  #textOrAction(): StatementNode | Ending {
    const token = this.#tokens.nextNonSpace();
    if (token.type === 'text') return { kind: 'text', position: token.position, text: token.text };
    if (token.type !== 'leftDelim') this.#unexpected(token, 'input');
    this.#scope.actionLine = token.line;
    const node = this.#action();
    this.#scope.actionLine = 0;
    return node;
  }

  /** What is between delimiters, the left one being past. */
  #action(): StatementNode | Ending {
    const token = this.#tokens.nextNonSpace();
    switch (token.type) {
      case 'block':
        return this.#block();
      case 'break':
      case 'continue':
        return this.#jump(token, token.type);
      case 'else':
        return this.#else();
      case 'end':
        return { kind: 'end', position: this.#expect('rightDelim', 'end').position };
      case 'if':
      case 'range':
      case 'with':
        return this.#control(token.type);
      case 'template':
        return this.#template();
      default: {
        this.#tokens.back(token);
        const pipe = this.#pipeline('command', 'rightDelim');
        return { kind: 'action', position: token.position, pipe };
      }
    }
  }

  #jump(token: Token, kind: 'break' | 'continue'): StatementNode {
    const next = this.#tokens.nextNonSpace();
    if (next.type !== 'rightDelim') this.#unexpected(next, `{{${kind}}}`);
    if (this.#scope.ranges === 0) this.#fail(`{{${kind}}} outside {{range}}`);
    return { kind, position: token.position };
  }

  /** Of `else if` and `else with` the second word is left for whoever asked. */
  #else(): Ending {
    const token = this.#tokens.peekNonSpace();
    if (token.type === 'if' || token.type === 'with') return { kind: 'else', position: token.position };
    return { kind: 'else', position: this.#expect('rightDelim', 'else').position };
  }

  #control(kind: ControlKind): BranchNode {
    return this.#nested(() => {
      const scope = this.#scope;
      const variables = scope.variables.length;
      const pipe = this.#pipeline(kind, 'rightDelim');
      if (kind === 'range') scope.ranges++;
      const { list, ending } = this.#list();
      if (kind === 'range') scope.ranges--;
      const elseList = ending.kind === 'else' ? this.#elseList(kind, ending) : undefined;
      scope.variables.length = variables;
      return { kind, position: pipe.position, pipe, list, elseList };
    });
  }

  /** `else if` is an `if` within the `else` that shares its `end`; so is `else with`. */
  #elseList(kind: ControlKind, { position }: Ending): ListNode {
    if (kind !== 'range' && this.#tokens.peek().type === kind) {
      this.#tokens.next();
      return { kind: 'list', position, nodes: [this.#control(kind)] };
    }
    const { list, ending } = this.#list();
    if (ending.kind !== 'end') this.#fail('expected end; found %s', `{{${ending.kind}}}`);
    return list;
  }

  /** A `block` is a definition and its use. */
  #block(): StatementNode {
    const context = 'block clause';
    const token = this.#tokens.nextNonSpace();
    const name = this.#templateName(token, context);
    const pipe = this.#pipeline(context, 'rightDelim');
    this.#add(name, this.#body(newScope(), context));
    return { kind: 'template', position: token.position, name, pipe };
  }

  #template(): StatementNode {
    const context = 'template clause';
    const token = this.#tokens.nextNonSpace();
    const name = this.#templateName(token, context);
    const next = this.#tokens.nextNonSpace();
    if (next.type === 'rightDelim')
      return { kind: 'template', position: token.position, name, pipe: undefined };
    this.#tokens.back(next);
    const pipe = this.#pipeline(context, 'rightDelim');
    return { kind: 'template', position: token.position, name, pipe };
  }

  #templateName(token: Token, context: string): string {
    if (token.type !== 'string' && token.type !== 'rawString') this.#unexpected(token, context);
    return this.#unquote(token);
  }

  #unquote(token: Token): string {
    return unquote(token.text) ?? this.#fail('%s', 'invalid syntax');
  }

  /** Variables that get the result, then commands, up to and with a token of type `end`. */
  #pipeline(context: string, end: 'rightDelim' | 'rightParen'): PipeNode {
    const { position } = this.#tokens.peekNonSpace();
    const variables: VariableNode[] = [];
    const isAssign = this.#declarations(context, variables);
    const commands: CommandNode[] = [];
    for (;;) {
      const token = this.#tokens.nextNonSpace();
      if (token.type === end) break;
      if (!OPERANDS.has(token.type)) this.#unexpected(token, context);
      this.#tokens.back(token);
      commands.push(this.#command());
    }
    if (commands.length === 0) this.#fail('missing value for %s', context);
    commands.forEach(({ args: [first] }, i) => {
      if (i > 0 && first !== undefined && NOT_EXECUTABLE.has(first.kind)) {
        this.#fail(`non executable command in pipeline stage ${i + 1}`);
      }
    });
    return { kind: 'pipe', position, isAssign, variables, commands };
  }

  /** `$x :=`, `$x =`, for a range also `$i, $x :=`. @returns true for `=` */
  #declarations(context: string, variables: VariableNode[]): boolean {
    for (;;) {
      const token = this.#tokens.peekNonSpace();
      if (token.type !== 'variable') return false;
      this.#tokens.next();
      const after = this.#tokens.peek();
      const next = this.#tokens.peekNonSpace();
      if (next.type === 'assign' || next.type === 'declare') {
        this.#tokens.nextNonSpace();
        this.#declare(token, variables);
        return next.type === 'assign';
      }
      if (next.type !== 'char' || next.text !== ',') {
        // No declaration: the variable is an argument. The space that ends it is a token.
        if (after.type === 'space') this.#tokens.back(after);
        this.#tokens.back(token);
        return false;
      }
      this.#tokens.nextNonSpace();
      this.#declare(token, variables);
      if (context !== 'range' || variables.length >= 2) this.#fail('too many declarations in %s', context);
      const { type } = this.#tokens.peekNonSpace();
      if (type !== 'variable' && type !== 'rightDelim' && type !== 'rightParen') {
        this.#fail('range can only initialize variables');
      }
    }
  }

  #declare(token: Token, variables: VariableNode[]): void {
    variables.push({ kind: 'variable', position: token.position, names: token.text.split('.') });
    this.#scope.variables.push(token.text);
  }

  /** Operands with space between, up to a `|`, which is consumed, or what ends the pipeline, which is not. */
  #command(): CommandNode {
    const { position } = this.#tokens.peekNonSpace();
    const args: OperandNode[] = [];
    for (;;) {
      this.#tokens.peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) args.push(operand);
      const token = this.#tokens.next();
      if (token.type === 'space') continue;
      if (token.type === 'rightDelim' || token.type === 'rightParen') this.#tokens.back(token);
      else if (token.type !== 'pipe') this.#unexpected(token, 'operand');
      break;
    }
    if (args.length === 0) this.#fail('empty command');
    return { kind: 'command', position, args };
  }

  /** A term with the fields that follow it at once; undefined if the next token begins none. */
  #operand(): OperandNode | undefined {
    const term = this.#term();
    if (term === undefined || this.#tokens.peek().type !== 'field') return term;
    // The position is that of the first field, also where the term was one itself.
    const { position } = this.#tokens.peek();
    const names: string[] = [];
    while (this.#tokens.peek().type === 'field') names.push(this.#tokens.next().text.slice(1));
    switch (term.kind) {
      case 'field':
      case 'variable':
        return { kind: term.kind, position, names: [...term.names, ...names] };
      case 'bool':
      case 'string':
      case 'number':
      case 'nil':
      case 'dot':
        return this.#fail('unexpected . after term %q', nodeText(term));
      default:
        return { kind: 'chain', position, operand: term, names };
    }
  }

  #term(): OperandNode | undefined {
    const token = this.#tokens.nextNonSpace();
    const { type, position, text } = token;
    switch (type) {
      case 'identifier':
        if (!this.#isFunction(text)) this.#fail('function %q not defined', text);
        return { kind: 'identifier', position, name: text };
      case 'dot':
      case 'nil':
        return { kind: type, position };
      case 'variable':
        if (!this.#scope.variables.includes(text)) this.#fail('undefined variable %q', text);
        return { kind: 'variable', position, names: [text] };
      case 'field':
        return { kind: 'field', position, names: [text.slice(1)] };
      case 'bool':
        return { kind: 'bool', position, value: text === 'true' };
      case 'charConstant':
      case 'complex':
      case 'number':
        return this.#constant(type, position, text);
      case 'leftParen':
        return this.#nested(() => this.#pipeline('parenthesized pipeline', 'rightParen'));
      case 'string':
      case 'rawString':
        return { kind: 'string', position, quoted: text, value: this.#unquote(token) };
      default:
        this.#tokens.back(token);
        return undefined;
    }
  }

  #constant(type: 'charConstant' | 'complex' | 'number', position: number, text: string): OperandNode {
    try {
      return { kind: 'number', position, text, ...numberValues(text, type) };
    } catch (thrown) {
      if (thrown instanceof GoError) this.#fail('%s', thrown.goText);
      throw thrown;
    }
  }
}
