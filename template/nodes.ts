/** The parse tree of a template. `position` is the byte offset in the source that Go's errors point at. */
import { quote } from './quote.ts';
import type { GoValue } from './value.ts';

export interface TextNode {
  readonly kind: 'text';
  readonly position: number;
  readonly text: string;
}

/** `{{ pipeline }}` */
export interface ActionNode {
  readonly kind: 'action';
  readonly position: number;
  readonly pipe: PipeNode;
}

export interface BranchNode {
  readonly kind: 'if' | 'with' | 'range';
  readonly position: number;
  readonly pipe: PipeNode;
  readonly list: ListNode;
  readonly elseList: ListNode | undefined;
}

/** `{{ template "name" pipeline }}`, also what is left of a `block`. */
export interface TemplateNode {
  readonly kind: 'template';
  readonly position: number;
  readonly name: string;
  readonly pipe: PipeNode | undefined;
}

export interface JumpNode {
  readonly kind: 'break' | 'continue';
  readonly position: number;
}

export interface ListNode {
  readonly kind: 'list';
  readonly position: number;
  readonly nodes: readonly StatementNode[];
}

export type StatementNode = TextNode | ActionNode | BranchNode | TemplateNode | JumpNode;

/** Commands joined by `|`, with the variables that get the result. */
export interface PipeNode {
  readonly kind: 'pipe';
  readonly position: number;
  /** `=` instead of `:=`. */
  readonly isAssign: boolean;
  readonly variables: readonly VariableNode[];
  readonly commands: readonly CommandNode[];
}

/** An operand followed by its arguments. */
export interface CommandNode {
  readonly kind: 'command';
  readonly position: number;
  readonly args: readonly OperandNode[];
}

/** The name of a function. */
export interface IdentifierNode {
  readonly kind: 'identifier';
  readonly position: number;
  readonly name: string;
}

/** `.a.b`, without the dots. */
export interface FieldNode {
  readonly kind: 'field';
  readonly position: number;
  readonly names: readonly string[];
}

/** `$x.a.b`: the variable with its `$`, then the fields. */
export interface VariableNode {
  readonly kind: 'variable';
  readonly position: number;
  readonly names: readonly string[];
}

/** Fields of anything else: `(pipeline).a.b`. */
export interface ChainNode {
  readonly kind: 'chain';
  readonly position: number;
  readonly operand: OperandNode;
  readonly names: readonly string[];
}

export interface BoolNode {
  readonly kind: 'bool';
  readonly position: number;
  readonly value: boolean;
}

export interface DotNode {
  readonly kind: 'dot' | 'nil';
  readonly position: number;
}

export interface StringNode {
  readonly kind: 'string';
  readonly position: number;
  /** As in the source. */
  readonly quoted: string;
  readonly value: string;
}

/** A constant, which has no type before it is used: it is whatever of these it can be exactly. */
export interface NumberNode {
  readonly kind: 'number';
  readonly position: number;
  /** As in the source. */
  readonly text: string;
  readonly int?: bigint | undefined;
  readonly uint?: bigint | undefined;
  readonly float?: number | undefined;
  readonly complex?: readonly [real: number, imaginary: number] | undefined;
  /** What it is where anything goes; undefined if that would be an int and it is too large for one. */
  readonly untyped: GoValue | undefined;
}

export type OperandNode =
  | IdentifierNode
  | FieldNode
  | VariableNode
  | ChainNode
  | BoolNode
  | DotNode
  | StringNode
  | NumberNode
  | PipeNode;

export type Node = StatementNode | ListNode | CommandNode | OperandNode;

/** A node as Go's errors print it: normalised source. */
export function nodeText(node: Node): string {
  switch (node.kind) {
    case 'text':
      return node.text;
    case 'list':
      return node.nodes.map(nodeText).join('');
    case 'action':
      return `{{${nodeText(node.pipe)}}}`;
    case 'break':
    case 'continue':
      return `{{${node.kind}}}`;
    case 'if':
    case 'with':
    case 'range': {
      const otherwise = node.elseList === undefined ? '' : `{{else}}${nodeText(node.elseList)}`;
      return `{{${node.kind} ${nodeText(node.pipe)}}}${nodeText(node.list)}${otherwise}{{end}}`;
    }
    case 'template':
      return `{{template ${quote(node.name)}${node.pipe === undefined ? '' : ` ${nodeText(node.pipe)}`}}}`;
    case 'pipe': {
      const variables = node.variables.map(nodeText).join(', ');
      const commands = node.commands.map(nodeText).join(' | ');
      return variables === '' ? commands : `${variables} ${node.isAssign ? '=' : ':='} ${commands}`;
    }
    case 'command':
      return node.args.map(parenthesised).join(' ');
    case 'identifier':
      return node.name;
    case 'field':
      return `.${node.names.join('.')}`;
    case 'variable':
      return node.names.join('.');
    case 'chain':
      return `${parenthesised(node.operand)}.${node.names.join('.')}`;
    case 'bool':
      return String(node.value);
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'string':
      return node.quoted;
    case 'number':
      return node.text;
  }
}

const parenthesised = (node: OperandNode): string =>
  node.kind === 'pipe' ? `(${nodeText(node)})` : nodeText(node);

/** The names of all functions below a list of statements. */
export function identifiers({ nodes }: ListNode): string[] {
  return nodes.flatMap((node) => {
    switch (node.kind) {
      case 'if':
      case 'with':
      case 'range':
        return [
          ...pipeIdentifiers(node.pipe),
          ...identifiers(node.list),
          ...(node.elseList === undefined ? [] : identifiers(node.elseList)),
        ];
      case 'action':
        return pipeIdentifiers(node.pipe);
      case 'template':
        return node.pipe === undefined ? [] : pipeIdentifiers(node.pipe);
      default:
        return [];
    }
  });
}

const pipeIdentifiers = ({ commands }: PipeNode): string[] =>
  commands.flatMap(({ args }) => args.flatMap(operandIdentifiers));

function operandIdentifiers(node: OperandNode): string[] {
  if (node.kind === 'identifier') return [node.name];
  if (node.kind === 'pipe') return pipeIdentifiers(node);
  return node.kind === 'chain' ? operandIdentifiers(node.operand) : [];
}
