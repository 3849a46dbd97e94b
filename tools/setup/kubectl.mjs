/** A kubectl for a cluster of the user's own: theirs, else the one of our control plane. */
import { ensureControlPlane } from './control-plane.mjs';
import { run } from './progress.mjs';

export async function ensureKubectl() {
  const isThere = await run('kubectl', ['version', '--client'], { title: 'looking for kubectl' }).then(
    () => true,
    () => false,
  );
  if (!isThere) await ensureControlPlane();
}
