/** Where the hooks are: known to the API server, and to who may read its configurations. */
import type { ControlPlane } from '../../harness/control-plane.ts';
import type { HookName } from './case.ts';

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/externalsecrets.external-secrets.io';

interface Client {
  readonly service?: { readonly path?: string };
}

/** The paths with their tokens, as the API server is told them. */
export async function readPaths(cp: ControlPlane): Promise<Record<HookName, string>> {
  const hookIn = async (path: string): Promise<string> => {
    const { body } = await cp.request<{ webhooks: { clientConfig: Client }[] }>('GET', path);
    return body.webhooks[0]?.clientConfig.service?.path ?? '';
  };
  type Definition = { spec: { conversion: { webhook: { clientConfig: Client } } } };
  const { body } = await cp.request<Definition>('GET', CRD);
  return {
    validate: await hookIn(`${ADMISSION}/validatingwebhookconfigurations/external-secrets-admission`),
    mutate: await hookIn(`${ADMISSION}/mutatingwebhookconfigurations/zz-external-secrets-admission`),
    convert: body.spec.conversion.webhook.clientConfig.service?.path ?? '',
  };
}
