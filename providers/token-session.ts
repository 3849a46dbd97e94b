/**
 * An access token that all uses of one store identity share. One login serves a process until two thirds of the
 * token's life are over; then another one is made beside the work.
 */
import type { Clock } from '../api/clock.ts';
import type { SecretValue } from '../api/secret-value.ts';
import { cancelled } from './http-errors.ts';
import { SharedFlight } from './shared-flight.ts';

export interface AccessToken {
  readonly value: SecretValue;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** How to get a token; a connection brings it along, for it knows the ports and the configuration. */
export interface TokenLogin {
  /** How errors begin: service and purpose. */
  readonly label: string;
  /** @throws ProviderError */
  token(signal: AbortSignal): Promise<AccessToken>;
}

const RENEW_AT = 2 / 3;
/** A new token that was refused as well is not replaced at once: another login would change nothing. */
const FRESH_MS = 60_000;
const BACKGROUND_TIMEOUT_MS = 10_000;

interface Held {
  readonly value: SecretValue;
  /** All on the monotonic clock. */
  readonly since: number;
  readonly renewAt: number;
  readonly expiresAt: number;
}

export class TokenSession {
  readonly #clock: Clock;
  readonly #flight = new SharedFlight<SecretValue>();
  #held: Held | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A token that should work. @throws ProviderError */
  async token(login: TokenLogin, signal: AbortSignal): Promise<SecretValue> {
    if (signal.aborted) throw cancelled(login.label, signal);
    const held = this.#held;
    const now = this.#clock.monotonic();
    if (held === undefined || now >= held.expiresAt) return this.#login(login, signal);
    if (now >= held.renewAt) this.#renewInBackground(held, login);
    return held.value;
  }

  /** The service refused this token. @returns true if there is another one to try */
  refused(token: SecretValue): boolean {
    const held = this.#held;
    if (held?.value !== token) return true;
    if (this.#clock.monotonic() - held.since < FRESH_MS) return false;
    this.#held = undefined;
    return true;
  }

  async #login(login: TokenLogin, signal: AbortSignal): Promise<SecretValue> {
    try {
      return await this.#flight.run((shared) => this.#hold(login, shared), signal);
    } catch (error) {
      throw signal.aborted ? cancelled(login.label, signal) : error;
    }
  }

  async #hold(login: TokenLogin, signal: AbortSignal): Promise<SecretValue> {
    const since = this.#clock.monotonic();
    const { value, expiresAt } = await login.token(signal);
    const life = Math.max(0, expiresAt - this.#clock.now());
    this.#held = { value, since, renewAt: since + life * RENEW_AT, expiresAt: since + life };
    return value;
  }

  /** The caller has a token that works; if this fails, it is tried again after a pause. */
  #renewInBackground(held: Held, login: TokenLogin): void {
    this.#held = { ...held, renewAt: Number.POSITIVE_INFINITY };
    this.#login(login, AbortSignal.timeout(BACKGROUND_TIMEOUT_MS)).catch(() => {
      if (this.#held?.value !== held.value) return;
      const now = this.#clock.monotonic();
      this.#held = { ...held, renewAt: now + Math.max(0, held.expiresAt - now) / 4 };
    });
  }
}
