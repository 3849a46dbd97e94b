/** The whole test bed: a control plane, OpenBao, and the product running on them. */
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
import { type OpenBao, type OpenBaoOptions, startOpenBao } from './openbao.ts';
import { type Product, type ProductOptions, startProduct } from './product.ts';

export interface BedOptions {
  readonly controlPlane?: ControlPlaneOptions;
  readonly openBao?: OpenBaoOptions;
  readonly product?: ProductOptions;
}

export interface Bed {
  readonly cp: ControlPlane;
  readonly openBao: OpenBao;
  readonly product: Product;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Up in about six seconds; the three parts start at the same time as far as they can. */
export async function startBed(options: BedOptions = {}): Promise<Bed> {
  const openBaoStart = startOpenBao(options.openBao);
  const cpStart = startControlPlane(options.controlPlane);
  const parts = await Promise.allSettled([cpStart, openBaoStart]);
  const stop = async (product?: Product): Promise<void> => {
    // The programs first, so that their logs do not end in complaints about a server that went away.
    await product?.stop();
    for (const part of parts) if (part.status === 'fulfilled') await part.value.stop();
  };
  try {
    const cp = await cpStart;
    const openBao = await openBaoStart;
    const product = await startProduct(cp, options.product);
    return { cp, openBao, product, stop: () => stop(product), [Symbol.asyncDispose]: () => stop(product) };
  } catch (error) {
    await stop();
    throw error;
  }
}
