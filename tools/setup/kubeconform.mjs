/** kubeconform, which checks manifests against schemas without a cluster; compiled from its Go module. */
import { ensureCached } from './cached.mjs';
import { kubeconformDirectory } from './paths.mjs';
import { run } from './progress.mjs';

const MODULE = 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0';

export async function ensureKubeconform() {
  await ensureCached(kubeconformDirectory(), 'kubeconform', async (directory) => {
    await run('go', ['install', MODULE], {
      title: 'kubeconform: compiling',
      env: { GOBIN: directory, GOFLAGS: '', GOWORK: 'off', CGO_ENABLED: '0' },
    });
  });
}
