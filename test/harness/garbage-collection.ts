import { CONTROLLER_MANAGER, hasControllerManager } from '../../tools/setup/paths.mjs';

/**
 * Options of a test that waits for a controller of Kubernetes: for garbage collection, or for a namespace, a
 * quota or a ServiceAccount to be looked after. Where the control plane has no kube-controller-manager, the
 * test is skipped, and counted so.
 */
export const needsGarbageCollection = (): { readonly skip: false | string } => ({
  skip: hasControllerManager()
    ? false
    : `no ${CONTROLLER_MANAGER} here, nothing collects garbage; \`make setup-control-plane\` builds one`,
});
