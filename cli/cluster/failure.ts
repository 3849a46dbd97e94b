/** Why a cluster could not be asked, as a sentence with what to do. */
import { ERROR_CATALOGUE, type EsaError } from '../../api/errors.ts';
import { KubeError } from '../../kube/errors.ts';

export interface Failure {
  readonly message: string;
  readonly remedy: string;
}

const RIGHT =
  /User "([^"]*)" cannot (\w+) resource "([^"]*)" in API group "([^"]*)"(?: in the namespace "([^"]*)")?/;

/** @param error what a request to the cluster, or the way to it, failed with */
export function describeFailure(error: EsaError): Failure {
  const { message } = error;
  if (!(error instanceof KubeError)) return { message, remedy: ERROR_CATALOGUE[error.code].remedy };
  return { message, remedy: remedyOf(error) };
}

function remedyOf({ status, reason, message }: KubeError): string {
  if (status === 401)
    return 'The API server does not know these credentials: log in anew, or choose another context with --context.';
  const right = RIGHT.exec(message);
  if (right !== null) {
    const [, user = '', verb = '', resource = '', group = '', namespace] = right;
    const where = namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`;
    const plural = group === '' ? resource : `${resource}.${group}`;
    return `Ask for the right to ${verb} ${plural} ${where} for ${user}; see it with: kubectl auth can-i ${verb} ${plural}${namespace === undefined ? ' -A' : ` -n ${namespace}`}`;
  }
  if (status === 404 && message.includes('does not know this kind'))
    return 'Install the CRDs: esa crds | kubectl apply --server-side -f -';
  if (status === 429 || status === 503) return 'The API server is overloaded; try again in a moment.';
  if (reason === 'Timeout') return 'Try again, or give it longer with --request-timeout.';
  if (/CERT|TLS|SSL|SELF_SIGNED/.test(reason))
    return 'Check certificate-authority-data and server of the kubeconfig; the certificate that was shown is not trusted.';
  if (status === 0)
    return 'Check that the cluster runs and that the context is the right one (kubectl config current-context); --context names another.';
  return ERROR_CATALOGUE.KUBE_API.remedy;
}
