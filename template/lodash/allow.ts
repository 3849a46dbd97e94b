/** What of JavaScript a lodash template may say: an allow-list of the nodes of its syntax tree, and of names. */
import type { AnyNode, Program } from 'acorn';
import { GoRegexpError } from '../../api/go-regexp.ts';
import { FUNCTION_NAMES, NAMESPACES } from './globals.ts';
import { METHOD_NAMES } from './methods.ts';
import { Regexp } from './regexp.ts';
import { PRINTERS, pieceAt, type Source } from './source.ts';

/** A part of a template that is refused, at an offset of the program. */
export class Refusal extends Error {
  readonly offset: number;
  readonly kind: 'syntax' | 'budget';

  constructor(message: string, offset: number, kind: 'syntax' | 'budget' = 'syntax') {
    super(message);
    this.name = 'Refusal';
    this.offset = offset;
    this.kind = kind;
  }
}

/** The interpreter takes some frames of the stack for each level. */
const MAX_DEPTH = 200;

/** Syntax that has a meaning here. Everything else is refused by its name. */
const NODES: ReadonlySet<string> = new Set([
  'Program',
  'ExpressionStatement',
  'BlockStatement',
  'EmptyStatement',
  'IfStatement',
  'ForStatement',
  'ForOfStatement',
  'ForInStatement',
  'WhileStatement',
  'BreakStatement',
  'ContinueStatement',
  'ReturnStatement',
  'VariableDeclaration',
  'VariableDeclarator',
  'ArrayPattern',
  'ObjectPattern',
  'Property',
  'Identifier',
  'Literal',
  'TemplateLiteral',
  'TemplateElement',
  'MemberExpression',
  'ChainExpression',
  'CallExpression',
  'ArrowFunctionExpression',
  'FunctionExpression',
  'BinaryExpression',
  'LogicalExpression',
  'UnaryExpression',
  'UpdateExpression',
  'AssignmentExpression',
  'ConditionalExpression',
  'ArrayExpression',
  'ObjectExpression',
  'SpreadElement',
  'SequenceExpression',
]);

const SAID: Readonly<Record<string, string>> = {
  AwaitExpression: 'await',
  BlockStatement: 'a block',
  ClassDeclaration: 'a class',
  ClassExpression: 'a class',
  DoWhileStatement: 'do ... while',
  FunctionDeclaration: 'a named function',
  ImportExpression: 'import',
  LabeledStatement: 'a label',
  MetaProperty: 'import.meta',
  NewExpression: 'new',
  SwitchStatement: 'switch',
  TaggedTemplateExpression: 'a tagged template',
  ThisExpression: 'this',
  ThrowStatement: 'throw',
  TryStatement: 'try',
  WithStatement: 'with',
  YieldExpression: 'yield',
};

const OPERATORS: ReadonlySet<string> = new Set(
  '+ - * / % ** == != === !== < <= > >= in && || ?? ! typeof ++ -- = += -= *= /= ??= ||= &&='.split(' '),
);

/** Regular expressions of one text, and characters of each: compiling one takes up to a millisecond. */
const MAX_REGEXPS = 20;
const MAX_REGEXP_LENGTH = 200;

/** The way to every function of JavaScript. */
const FORBIDDEN_MEMBERS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const CONSTANTS: ReadonlySet<string> = new Set(['undefined', 'NaN', 'Infinity']);

/** @throws Refusal for the first thing that no template may say */
export function checkProgram(program: Program, source: Source): void {
  new Checker(source, declared(program)).visit(program, undefined, 0);
}

function children(node: AnyNode): AnyNode[] {
  return Object.values(node)
    .flat()
    .filter((child): child is AnyNode => typeof child === 'object' && child !== null && 'type' in child);
}

/** Every name that the template declares, wherever. @throws Refusal for one that nests too deeply */
function declared(program: Program): ReadonlySet<string> {
  const names = new Set<string>(['data', ...CONSTANTS]);
  const pattern = (node: AnyNode): void => {
    if (node.type === 'Identifier') names.add(node.name);
    else if (node.type === 'Property') pattern(node.value);
    else if (node.type === 'ArrayPattern' || node.type === 'ObjectPattern') children(node).forEach(pattern);
  };
  const visit = (node: AnyNode, depth: number): void => {
    if (depth > MAX_DEPTH) throw new Refusal(`nests more than ${MAX_DEPTH} deep`, node.start, 'budget');
    if (node.type === 'VariableDeclarator') pattern(node.id);
    if (node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression')
      node.params.forEach(pattern);
    for (const child of children(node)) visit(child, depth + 1);
  };
  visit(program, 0);
  return names;
}

class Checker {
  readonly #source: Source;
  readonly #names: ReadonlySet<string>;
  #regexps = 0;

  constructor(source: Source, names: ReadonlySet<string>) {
    this.#source = source;
    this.#names = names;
  }

  visit(node: AnyNode, parent: AnyNode | undefined, depth: number): void {
    if (!NODES.has(node.type))
      this.#refuse(node, `${SAID[node.type] ?? node.type} cannot be used in a template`);
    switch (node.type) {
      case 'Identifier':
        this.#name(node.name, node);
        return;
      case 'Literal':
        this.#literal(node);
        return;
      case 'CallExpression':
        this.#call(node);
        for (const argument of node.arguments) this.#argument(argument, node, depth);
        if (node.callee.type === 'MemberExpression' && this.#global(node.callee) === undefined)
          this.visit(node.callee.object, node.callee, depth + 1);
        return;
      case 'MemberExpression':
        this.#member(node);
        this.visit(node.object, node, depth + 1);
        if (node.computed) this.visit(node.property, node, depth + 1);
        return;
      case 'Property':
        this.#property(node, depth);
        return;
      case 'ArrowFunctionExpression':
      case 'FunctionExpression':
        if (node.async || node.generator) this.#refuse(node, 'a function cannot be async or a generator');
        if (parent?.type !== 'CallExpression')
          this.#refuse(node, 'a function can only be an argument of a method such as forEach');
        for (const param of node.params) this.#pattern(param);
        this.visit(node.body, node, depth + 1);
        return;
      case 'VariableDeclarator':
        this.#pattern(node.id);
        if (node.init !== null && node.init !== undefined) this.visit(node.init, node, depth + 1);
        return;
      case 'AssignmentExpression':
      case 'UpdateExpression': {
        const target = node.type === 'AssignmentExpression' ? node.left : node.argument;
        if (target.type !== 'Identifier') this.#refuse(target, 'only a variable can be assigned to');
        break;
      }
      case 'ForInStatement':
      case 'ForOfStatement':
        if (node.left.type !== 'VariableDeclaration')
          this.#refuse(node.left, 'declare the variable of the loop: `for (const x of ...)`');
        if (node.type === 'ForOfStatement' && node.await)
          this.#refuse(node, 'await cannot be used in a template');
        break;
      case 'BreakStatement':
      case 'ContinueStatement':
        if (node.label) this.#refuse(node, 'a label cannot be used in a template');
        return;
      default:
    }
    if ('operator' in node && !OPERATORS.has(node.operator))
      this.#refuse(node, `the operator ${node.operator} cannot be used in a template`);
    for (const child of children(node)) this.visit(child, node, depth + 1);
  }

  #refuse(node: AnyNode, message: string): never {
    throw new Refusal(message, node.start);
  }

  #name(name: string, node: AnyNode): void {
    if (PRINTERS.has(name)) this.#refuse(node, `the name ${name} is not free`);
    if (this.#names.has(name)) return;
    if (FUNCTION_NAMES.has(name) || NAMESPACES.has(name))
      this.#refuse(
        node,
        `${name} can only be called${NAMESPACES.has(name) ? ' by one of its functions' : ''}`,
      );
    this.#refuse(node, `there is no ${name}: the fetched values are the members of data`);
  }

  #literal(node: Extract<AnyNode, { type: 'Literal' }>): void {
    if (typeof node.value === 'bigint') this.#refuse(node, 'a bigint cannot be used in a template');
    if (node.regex === undefined || node.regex === null) return;
    if (++this.#regexps > MAX_REGEXPS || node.regex.pattern.length > MAX_REGEXP_LENGTH)
      throw new Refusal(
        `only ${MAX_REGEXPS} regular expressions of ${MAX_REGEXP_LENGTH} characters can be used`,
        node.start,
        'budget',
      );
    try {
      new Regexp(node.regex.pattern, node.regex.flags);
    } catch (error) {
      if (!(error instanceof GoRegexpError)) throw error;
      this.#refuse(node, `the regular expression is none of RE2: ${error.reason}`);
    }
  }

  /** The function that `JSON.parse` names, unless a variable has the name. */
  #global({
    object,
    property,
    computed,
  }: Extract<AnyNode, { type: 'MemberExpression' }>): string | undefined {
    if (object.type !== 'Identifier' || !NAMESPACES.has(object.name) || this.#names.has(object.name))
      return undefined;
    return computed || property.type !== 'Identifier'
      ? `${object.name}[...]`
      : `${object.name}.${property.name}`;
  }

  #call(node: Extract<AnyNode, { type: 'CallExpression' }>): void {
    const { callee } = node;
    if (callee.type === 'Identifier') {
      if (PRINTERS.has(callee.name) && pieceAt(this.#source, callee.start) === undefined) {
        // The parentheses of a tag are its own.
        if (pieceAt(this.#source, node.end - 1) !== undefined)
          throw new Refusal('unexpected )', node.end - 1);
        return;
      }
      if (FUNCTION_NAMES.has(callee.name) && !this.#names.has(callee.name)) return;
      this.#name(callee.name, callee);
      this.#refuse(callee, `${callee.name} is no function`);
    }
    if (callee.type !== 'MemberExpression')
      this.#refuse(callee, 'only methods and named functions can be called');
    const global = this.#global(callee);
    if (global !== undefined) {
      if (!FUNCTION_NAMES.has(global)) this.#refuse(callee, `there is no function ${global}`);
      return;
    }
    if (callee.computed || callee.property.type !== 'Identifier')
      this.#refuse(callee, 'a method is called by its name, not by an expression');
    if (FORBIDDEN_MEMBERS.has(callee.property.name)) this.#member(callee);
    if (!METHOD_NAMES.has(callee.property.name))
      this.#refuse(callee.property, `there is no method ${callee.property.name}`);
  }

  /** As an argument, a function may stand for itself: `map(String)`. */
  #argument(node: AnyNode, call: AnyNode, depth: number): void {
    if (node.type === 'Identifier' && FUNCTION_NAMES.has(node.name) && !this.#names.has(node.name)) return;
    this.visit(node, call, depth + 1);
  }

  #member(node: Extract<AnyNode, { type: 'MemberExpression' }>): void {
    const { property, computed } = node;
    const name = property.type === 'Identifier' && !computed ? property.name : undefined;
    const literal =
      property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined;
    if (property.type === 'PrivateIdentifier' || node.object.type === 'Super')
      this.#refuse(node, 'a class cannot be used in a template');
    const said = name ?? literal;
    if (said !== undefined && FORBIDDEN_MEMBERS.has(said))
      this.#refuse(property, `${said} cannot be used in a template`);
  }

  #property(node: Extract<AnyNode, { type: 'Property' }>, depth: number): void {
    if (node.kind !== 'init' || node.method) this.#refuse(node, 'an object cannot have functions');
    if (node.computed) this.visit(node.key, node, depth + 1);
    this.visit(node.value, node, depth + 1);
  }

  #pattern(node: AnyNode): void {
    if (node.type === 'Identifier') {
      if (PRINTERS.has(node.name) || CONSTANTS.has(node.name))
        this.#refuse(node, `the name ${node.name} is not free`);
      return;
    }
    if (node.type === 'ArrayPattern')
      for (const element of node.elements.filter((one) => one !== null)) this.#pattern(element);
    else if (node.type === 'ObjectPattern')
      for (const property of node.properties) this.#patternProperty(property);
    else this.#refuse(node, 'a variable cannot have a default or a rest');
  }

  #patternProperty(property: AnyNode): void {
    if (property.type !== 'Property' || property.computed)
      this.#refuse(property, 'a variable cannot have a rest');
    this.#pattern(property.value);
  }
}
