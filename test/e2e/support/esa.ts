/** `esa` in the process of the test. */
import { run } from '../../../cli/run.ts';

export interface EsaResult {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command with a kubeconfig. */
export async function runEsa(args: readonly string[], kubeconfig: string): Promise<EsaResult> {
  let out = '';
  let error = '';
  const code = await run([...args, '--kubeconfig', kubeconfig], {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    readInput: async () => Buffer.from(''),
  });
  return { code, out, error };
}
