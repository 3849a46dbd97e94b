/** Errors of templates: Go's own text for tests against Go, and one without values for everybody else. */
import { type ErrorCode, EsaError } from '../api/errors.ts';
import { toUtf8 } from './value.ts';

/** Where in the source of a template. */
export interface Position {
  /** Name of the template whose source it is. */
  readonly name: string;
  /** 1-based. */
  readonly line: number;
  /** Bytes from the start of the line, 0-based on the first line and every other one, as Go counts. */
  readonly column?: number | undefined;
  /** Bytes from the start of the source. */
  readonly offset?: number | undefined;
}

export interface TemplateErrorInit {
  readonly phase: 'parse' | 'exec';
  /** Without values, a Go string; `goText` unless given. */
  readonly message?: string;
  readonly goText: string;
  readonly position?: Position | undefined;
}

/**
 * What is wrong with a template. `message` never holds a value of the data; `goText` is what Go says, to the byte
 * (a Go string), and may: it is for comparison with Go only.
 */
export class TemplateError extends EsaError {
  readonly phase: 'parse' | 'exec';
  readonly goText: string;
  readonly position: Position | undefined;

  constructor(
    code: Extract<ErrorCode, `TEMPLATE_${string}`>,
    { phase, goText, message, position }: TemplateErrorInit,
  ) {
    super(code, toUtf8(message ?? goText));
    this.name = 'TemplateError';
    this.phase = phase;
    this.goText = goText;
    this.position = position;
  }
}

/** The refusal of a template that wants too much; `what` says of what, and the limit. */
export const budgetError = (
  what: string,
  phase: 'parse' | 'exec' = 'exec',
  position?: Position,
): TemplateError =>
  new TemplateError('TEMPLATE_BUDGET', {
    phase,
    goText: `template: ${position === undefined ? '' : `${position.name}:${position.line}: `}${what}`,
    position,
  });
