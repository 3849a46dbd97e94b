/** The whole test bed: a control plane, OpenBao, AWS if it is wanted, and the product running on them. */
import { type Aws, type AwsOptions, startAws } from './aws.ts';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
import { type OpenBao, type OpenBaoOptions, startOpenBao } from './openbao.ts';
import { type Product, type ProductOptions, startProduct } from './product.ts';

export interface BedOptions {
  readonly controlPlane?: ControlPlaneOptions;
  readonly openBao?: OpenBaoOptions;
  /** Starts a stand-in for AWS too, which the programs then take for AWS. */
  readonly aws?: AwsOptions;
  readonly product?: ProductOptions;
}

export interface Bed {
  readonly cp: ControlPlane;
  readonly openBao: OpenBao;
  /** Only with `aws` in the options. */
  readonly aws: Aws | undefined;
  readonly product: Product;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Up in about six seconds; the parts start at the same time as far as they can. */
export async function startBed(options: BedOptions = {}): Promise<Bed> {
  const openBaoStart = startOpenBao(options.openBao);
  const awsStart = options.aws === undefined ? Promise.resolve(undefined) : startAws(options.aws);
  // Installing the product ends in kindsChanged().
  const cpStart = startControlPlane({ controllerManager: 'later', ...options.controlPlane });
  const parts = await Promise.allSettled([cpStart, openBaoStart, awsStart]);
  const stop = async (product?: Product): Promise<void> => {
    // The programs first, so that their logs do not end in complaints about a server that went away.
    await product?.stop();
    for (const part of parts) if (part.status === 'fulfilled') await part.value?.stop();
  };
  try {
    const cp = await cpStart;
    const openBao = await openBaoStart;
    const aws = await awsStart;
    const env = { ...(aws === undefined ? {} : { AWS_ENDPOINT_URL: aws.endpoint }), ...options.product?.env };
    const product = await startProduct(cp, { ...options.product, env });
    return {
      cp,
      openBao,
      aws,
      product,
      stop: () => stop(product),
      [Symbol.asyncDispose]: () => stop(product),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
