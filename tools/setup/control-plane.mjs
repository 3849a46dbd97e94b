/** etcd, kube-apiserver, kube-controller-manager and kubectl, built from Go modules into one binary. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ensureCached } from './cached.mjs';
import { CONTROL_PLANE_PROGRAMS, controlPlaneDirectory, ROOT } from './paths.mjs';
import { run, SetupError } from './progress.mjs';

const SOURCE = join(ROOT, 'test', 'control-plane');

/** The linker flags that tell the programs their version: kubectl and the API server compare them. */
function versionFlags() {
  const version = /k8s\.io\/kubernetes v((\d+)\.(\d+)\.\d+)/.exec(
    readFileSync(join(SOURCE, 'go.mod'), 'utf8'),
  );
  if (version === null) throw new SetupError('test/control-plane/go.mod requires no k8s.io/kubernetes');
  const variables = { gitVersion: `v${version[1]}`, gitMajor: version[2], gitMinor: version[3] };
  return Object.entries(variables).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
}

export async function ensureControlPlane() {
  await ensureCached(controlPlaneDirectory(), 'control plane', async (directory) => {
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
            'control plane: Go is not in PATH; install Go 1.21 or newer (it fetches the version it needs).',
          )
        : error;
    });
    for (const program of CONTROL_PLANE_PROGRAMS) symlinkSync('kube', join(directory, program));
  });
}
