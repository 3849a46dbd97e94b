/**
 * ExternalSecret v1beta1 has the shape of v1 (External Secrets Operator needs no conversion between the two
 * either), so nothing of it is said here again.
 */
export { externalSecretSpec, externalSecretStatus } from '../v1/external-secret.ts';
