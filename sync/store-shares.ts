/**
 * How many creates may wait for one provider. A provider that hangs would otherwise take all the room there is,
 * and creates for others would find none. Counted by server, not by store: a hundred namespaces with a store
 * each may all wait for the same one.
 */
import type { Clock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import type { ResolvedStore } from './stores.ts';

/** A provider that has answered nobody for so long is stalled. Ten times what a slow one takes. */
const STALLED_MS = 1_000;
/** So many may wait for one that is stalled: enough to notice when it goes on. */
const STALLED_SHARE = 8;

interface Share {
  inside: number;
  /** When it answered last, or the first of those inside came (monotonic). */
  answeredAt: number;
}

/** The place of one create. */
export interface Place {
  /** The provider of this store has answered, whatever it said. */
  answered(store: ResolvedStore): void;
  leave(): void;
}

export class StoreShares {
  readonly #clock: Clock;
  readonly #size: number;
  readonly #shares = new Map<string, Share>();

  /** @param size the most that one provider ever gets */
  constructor(options: { readonly clock: Clock; readonly size: number }) {
    this.#clock = options.clock;
    this.#size = Math.max(1, Math.floor(options.size));
  }

  /** @throws EsaError STORE_BUSY */
  enter(stores: readonly ResolvedStore[]): Place {
    const byServer = new Map(stores.map((store) => [serverOf(store), store]));
    const now = this.#clock.monotonic();
    for (const [server, store] of byServer) {
      const share = this.#shares.get(server);
      if (share === undefined) continue;
      const stalled = share.inside >= STALLED_SHARE && now - share.answeredAt > STALLED_MS;
      if (!stalled && share.inside < this.#size) continue;
      throw new EsaError(
        'STORE_BUSY',
        `${share.inside} creates wait for the provider of ${store.context.kind} ${store.context.name} already`,
      );
    }
    for (const server of byServer.keys()) {
      const share = this.#shares.get(server) ?? { inside: 0, answeredAt: now };
      share.inside += 1;
      this.#shares.set(server, share);
    }
    return {
      answered: (store) => {
        const share = this.#shares.get(serverOf(store));
        if (share !== undefined) share.answeredAt = this.#clock.monotonic();
      },
      leave: () => {
        for (const server of byServer.keys()) {
          const share = this.#shares.get(server);
          if (share === undefined) continue;
          share.inside -= 1;
          if (share.inside === 0) this.#shares.delete(server);
        }
      },
    };
  }
}

/** What a store's requests go to. Providers without a server have their own place each. */
function serverOf({ provider, config, identity }: ResolvedStore): string {
  const origins = provider.servers(config).map(({ origin }) => origin);
  return origins.length === 0 ? identity : origins.toSorted().join(' ');
}
