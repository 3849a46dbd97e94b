/** What a conversion has to say about an object. */
import type { FieldPath } from '../../api/problem.ts';
import type { Severity } from '../findings.ts';

export interface Said {
  readonly severity: Severity;
  readonly path: FieldPath;
  readonly message: string;
}

export class Remarks {
  readonly said: Said[] = [];

  /** The object stays as it is. */
  impossible(path: FieldPath, message: string): void {
    this.said.push({ severity: 'error', path, message: `not converted: ${message}` });
  }

  /** Something that the object says is lost, or has to be put in by hand. */
  notKept(path: FieldPath, message: string): void {
    this.said.push({ severity: 'warning', path, message: `not kept: ${message}` });
  }

  note(path: FieldPath, message: string): void {
    this.said.push({ severity: 'note', path, message });
  }
}
