/**
 * etcd, kube-apiserver and kubectl: those of $KUBEBUILDER_ASSETS, else what an earlier set-up made, else what
 * setup-envtest downloads, else our own build from Go modules (which has kube-controller-manager, too).
 */
import { accessSync, constants, existsSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import {
  builtControlPlaneDirectory,
  CONTROL_PLANE_PROGRAMS,
  CONTROLLER_MANAGER,
  envtestDirectory,
  kubernetesVersion,
  ROOT,
} from './paths.mjs';
import { run, SetupError } from './progress.mjs';

const SOURCE = join(ROOT, 'test', 'control-plane');
const SETUP_ENVTEST = 'sigs.k8s.io/controller-runtime/tools/setup-envtest@v0.25.1';

/** Where nothing can be downloaded that shall be known soon; what does come may take its time. */
const ANSWER_MS = 10_000;
const COMPILE_MS = 120_000;
const DOWNLOAD_MS = 600_000;

function checkAssets(directory) {
  for (const program of CONTROL_PLANE_PROGRAMS) {
    try {
      accessSync(join(directory, program), constants.X_OK);
    } catch {
      throw new SetupError(
        `control plane: KUBEBUILDER_ASSETS=${directory} has no program ${program} ` +
          `(needed: ${CONTROL_PLANE_PROGRAMS.join(', ')}); correct or unset it.`,
      );
    }
  }
}

/** The setup-envtest in PATH, else one that is compiled into `directory`. */
async function findSetupEnvtest(directory) {
  const installed = await run('setup-envtest', ['version'], {
    title: 'looking for setup-envtest',
    timeout: ANSWER_MS,
  }).then(
    () => true,
    () => false,
  );
  if (installed) return 'setup-envtest';
  await run('go', ['install', SETUP_ENVTEST], {
    title: 'control plane: compiling setup-envtest',
    env: { GOBIN: directory, GOFLAGS: '', GOWORK: 'off' },
    timeout: COMPILE_MS,
  });
  return join(directory, 'setup-envtest');
}

async function downloadEnvtest(directory) {
  const tool = await findSetupEnvtest(directory);
  const store = join(directory, 'store');
  const version = kubernetesVersion().replace(/\.\d+$/, '.x');
  const index = process.env.ENVTEST_INDEX ? ['--index', process.env.ENVTEST_INDEX] : [];
  const options = ['--bin-dir', store, ...index];
  await run(tool, ['list', version, ...options], {
    title: 'control plane: asking for downloads',
    timeout: ANSWER_MS,
  });
  const path = await run(tool, ['use', version, '-p', 'path', ...options], {
    title: 'control plane: downloading it (about 60 MB)',
    timeout: DOWNLOAD_MS,
  });
  const assets = path.trim();
  checkAssets(assets);
  for (const program of readdirSync(assets)) renameSync(join(assets, program), join(directory, program));
  for (const left of [store, join(directory, 'setup-envtest')])
    rmSync(left, { recursive: true, force: true });
}

/** @returns {Promise<boolean>} false, after one line that says why, where it cannot be downloaded */
async function ensureEnvtest() {
  try {
    await ensureCached(envtestDirectory(), 'control plane', downloadEnvtest);
    return true;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const reason = error.message.trimEnd().split('\n').at(-1);
    process.stderr.write(`  control plane: nothing to download (${reason}); building our own\n`);
    return false;
  }
}

/** The linker flags that tell the programs their version: kubectl and the API server compare them. */
function versionFlags() {
  const version = kubernetesVersion();
  const [major, minor] = version.split('.');
  const variables = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  return Object.entries(variables).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
}

/** Our own build: everything in one binary, with a link for each program. */
export async function ensureBuiltControlPlane() {
  await ensureCached(builtControlPlaneDirectory(), 'control plane', async (directory) => {
    let downloaded = 0;
    let compiled = 0;
    await run(
      'go',
      [
        'build',
        '-v',
        '-trimpath',
        '-ldflags',
        ['-s', '-w', ...versionFlags()].join(' '),
        '-o',
        join(directory, 'kube'),
        '.',
      ],
      {
        title: 'control plane: building Kubernetes (once, about 7 minutes on 2 cores)',
        cwd: SOURCE,
        env: { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
        onLine: (line) => {
          if (line.startsWith('go: downloading')) downloaded += 1;
          else compiled += 1;
        },
        detail: () =>
          compiled > 0
            ? `${compiled} packages compiled`
            : downloaded > 0
              ? `${downloaded} modules fetched`
              : '',
      },
    ).catch((error) => {
      throw error.message.includes('cannot start go')
        ? new SetupError(
            'control plane: Go is not in PATH; install Go 1.21 or newer (it fetches the version it needs), ' +
              'or set KUBEBUILDER_ASSETS to a folder with kube-apiserver, etcd and kubectl.',
          )
        : error;
    });
    for (const program of [...CONTROL_PLANE_PROGRAMS, CONTROLLER_MANAGER]) {
      symlinkSync('kube', join(directory, program));
    }
  });
}

export async function ensureControlPlane() {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets) return checkAssets(assets);
  if (existsSync(builtControlPlaneDirectory()) || existsSync(envtestDirectory())) return;
  if (!(await ensureEnvtest())) await ensureBuiltControlPlane();
}
