/**
 * Puts on this machine all that the other commands need. Runs on any Node >= 18 before anything is
 * installed, and again before each command: what is there already costs a few milliseconds.
 *
 *   node tools/setup.mjs            everything that tests, dev and demo need
 *   node tools/setup.mjs helm       one piece by name
 *   node tools/setup.mjs --tolerant what dev and demo can do without may fail: they say what they leave out
 */
import { ensureAws } from './setup/aws.mjs';
import { ensureBuiltControlPlane, ensureControlPlane } from './setup/control-plane.mjs';
import { ensureEso } from './setup/eso.mjs';
import { ensureHelm } from './setup/helm.mjs';
import { ensureKubeconform } from './setup/kubeconform.mjs';
import { ensureKubectl } from './setup/kubectl.mjs';
import { ensureNodeModules } from './setup/node-modules.mjs';
import { ensureOpenBao } from './setup/openbao.mjs';
import { CACHE } from './setup/paths.mjs';
import { SetupError, UnavailableError } from './setup/progress.mjs';
import { ensurePrometheus } from './setup/prometheus.mjs';

const PIECES = {
  'node-modules': ensureNodeModules,
  openbao: ensureOpenBao,
  aws: ensureAws,
  'control-plane': ensureControlPlane,
  'built-control-plane': ensureBuiltControlPlane,
  kubectl: ensureKubectl,
  helm: ensureHelm,
  prometheus: ensurePrometheus,
  eso: ensureEso,
  kubeconform: ensureKubeconform,
};
/** External Secrets Operator is built only where a move from it is tried with itself. */
const USUAL = ['node-modules', 'openbao', 'aws', 'control-plane'];
/** Demo and dev do without; they are not there for every machine. */
const FOR_TESTS = ['helm', 'kubeconform', 'prometheus'];
/** Tests skip, by name, what they cannot do without these. */
const DISPENSABLE = ['prometheus'];

// An exit instead of a silent death lets children be stopped and locks be released.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.once(signal, () => process.exit(code));
}

const args = process.argv.slice(2);
const tolerant = args.includes('--tolerant');
const named = args.filter((arg) => arg !== '--tolerant');
const wanted = named.length > 0 ? named : tolerant ? USUAL : [...USUAL, ...FOR_TESTS];
/** Whoever names a piece wants it. */
const mayBeMissing = (name) => tolerant || (named.length === 0 && DISPENSABLE.includes(name));
const unknown = wanted.filter((name) => !Object.hasOwn(PIECES, name));
if (unknown.length > 0) {
  process.stderr.write(`unknown piece: ${unknown.join(', ')}; there are ${Object.keys(PIECES).join(', ')}\n`);
  process.exit(2);
}

try {
  for (const name of wanted) {
    try {
      await PIECES[name]();
    } catch (error) {
      if (!mayBeMissing(name) || !(error instanceof UnavailableError)) throw error;
      const [what, ...output] = error.message.trimEnd().split('\n');
      process.stderr.write(`  left out: ${what}${output.length > 0 ? ` (${output.at(-1)})` : ''}\n`);
    }
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`set-up failed: ${error.message}\n(cache: ${CACHE})\n`);
  process.exit(1);
}
