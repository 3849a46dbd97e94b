/**
 * Logged-in state that all uses of one store identity share: the token with its life, and what is known
 * about the mounts. One login serves a process until it has to be renewed.
 */
import type { Clock } from '../../api/clock.ts';
import type { SecretValue } from '../../api/secret-value.ts';
import { cancelled } from '../http-errors.ts';
import { SharedFlight } from '../shared-flight.ts';
import type { Consistency } from './client.ts';
import { MountTable } from './mounts.ts';

/** A token as the login's answer described it. Nothing else is asked: a token may not look itself up. */
export interface Login {
  readonly token: SecretValue;
  /** Life in milliseconds, Infinity for a token that does not expire. */
  readonly ttlMs: number;
  readonly renewable: boolean;
  /** How many requests it is good for; Infinity if it is not counted. */
  readonly uses: number;
  /** True: the server keeps nothing of it that could be given back. */
  readonly isBatch: boolean;
}

/** How to get a token; a connection brings it along, for it knows the ports and the configuration. */
export interface LoginMethod {
  /** How errors begin: server and purpose. */
  readonly label: string;
  login(signal: AbortSignal): Promise<Login>;
  /** Extends the life of the token; the new life, or undefined if the server does not allow it. */
  renew(token: SecretValue, signal: AbortSignal): Promise<Pick<Login, 'ttlMs' | 'renewable'> | undefined>;
  /** Ends the life of the token, if the server lets it. @throws ProviderError */
  revoke(token: SecretValue, signal: AbortSignal): Promise<void>;
}

/** Where the token of a request comes from. */
export interface TokenSource {
  /** A token that should work. @throws ProviderError */
  token(signal: AbortSignal): Promise<SecretValue>;
  /** The server refused this token. Resolves true if there is another one to try. @throws ProviderError */
  refused(token: SecretValue, signal: AbortSignal): Promise<boolean>;
  /** The other token worked where the one before was refused. */
  accepted(): void;
  /** A token was good enough for an answer. */
  worked(): void;
}

/** Share of a token's life after which it is renewed, where the server allows that. */
const RENEW_AT = 2 / 3;
/**
 * Share after which a new login replaces it. Later than renewal, since every login leaves a token at the
 * server: one of 60 s that may not renew itself costs hardly more than one login a minute.
 */
const LOGIN_AT = 0.9;
/** A renewal that brings less than this share of the first life has met the maximum; a login comes next. */
const WORTH_RENEWING = 0.5;
/** A new token that was refused as well says that the policy denies: so long no login is spent on that. */
const FRUITLESS_LOGIN_PAUSE_MS = 60_000;
/** Each further one doubles the time up to this, as long as the token is good for something else. */
const LONGEST_FRUITLESS_PAUSE_MS = 60 * 60_000;
/** A token that has been good for nothing for so long may be dead, whatever was fruitless before. */
const DOUBT_AFTER_MS = 15_000;
/** A look-up of a token speaks for all stores that use it, and for so long. */
const LOOKUP_GOOD_MS = 60_000;
const BACKGROUND_TIMEOUT_MS = 10_000;

interface Held {
  readonly token: SecretValue;
  /** All on the monotonic clock. */
  readonly renewAt: number;
  readonly loginAt: number;
  readonly expiresAt: number;
  /** Life right after the login. */
  readonly firstTtlMs: number;
  /** Requests that it is still good for, that of whoever logged in taken off. */
  usesLeft: number;
  readonly isBatch: boolean;
  /** How it came, and how it is given back. */
  readonly method: LoginMethod;
}

/**
 * Logs in once for everyone, again before the token expires, and once more when it is refused. Of a store
 * with a fixed token it keeps what is known about the mounts.
 */
export class VaultSession {
  readonly mounts = new MountTable();
  readonly consistency: Consistency = { index: undefined };
  readonly #clock: Clock;
  readonly #flight = new SharedFlight<SecretValue>();
  readonly #lookup = new SharedFlight<void>();
  #held: Held | undefined;
  /** All of these are moments of the monotonic clock. */
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #workedAt = Number.NEGATIVE_INFINITY;
  #lookedUpUntil = Number.NEGATIVE_INFINITY;
  /** Logins in a row that were refused where the token before was. */
  #fruitless = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  source(method: LoginMethod): TokenSource {
    return {
      token: (signal) => this.#token(method, signal),
      refused: (token, signal) => this.#refused(token, method, signal),
      accepted: () => {
        this.#pausedUntil = Number.NEGATIVE_INFINITY;
        this.#fruitless = 0;
      },
      worked: () => {
        this.#workedAt = this.#clock.monotonic();
      },
    };
  }

  /** A token that somebody else gave: it works or it does not. */
  fixed(token: SecretValue): TokenSource {
    return {
      token: async () => token,
      refused: async () => {
        // It may have been revoked: the next look-up is a real one.
        this.#lookedUpUntil = Number.NEGATIVE_INFINITY;
        return false;
      },
      accepted: () => undefined,
      worked: () => undefined,
    };
  }

  /** Looks the token up, unless that was done a moment ago and nothing was refused since, or `now`; once for all who ask. */
  async lookUp(ask: (signal: AbortSignal) => Promise<void>, signal: AbortSignal, now = false): Promise<void> {
    signal.throwIfAborted();
    if (!now && this.#clock.monotonic() < this.#lookedUpUntil) return;
    await this.#lookup.run(async (shared) => {
      const before = this.#clock.monotonic();
      await ask(shared);
      this.#lookedUpUntil = before + LOOKUP_GOOD_MS;
    }, signal);
  }

  /**
   * Nobody needs the session now: its token is given back. Whoever uses it all the same logs in anew. Never throws;
   * a token that cannot be given back ends by itself.
   */
  async retire(signal: AbortSignal): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || held.isBatch || this.#clock.monotonic() >= held.expiresAt) return;
    await held.method.revoke(held.token, signal).catch(() => {});
  }

  async #token(method: LoginMethod, signal: AbortSignal): Promise<SecretValue> {
    const held = this.#held;
    const now = this.#clock.monotonic();
    if (held === undefined || now >= held.expiresAt || held.usesLeft <= 0) return this.#login(method, signal);
    held.usesLeft -= 1;
    if (now >= held.loginAt) this.#inBackground((background) => this.#login(method, background));
    else if (now >= held.renewAt) this.#inBackground((background) => this.#renew(held, method, background));
    return held.token;
  }

  async #refused(token: SecretValue, method: LoginMethod, signal: AbortSignal): Promise<boolean> {
    if (this.#held !== undefined && !this.#held.token.equals(token)) return true;
    const now = this.#clock.monotonic();
    const alive = now - this.#workedAt < DOUBT_AFTER_MS;
    const until = alive
      ? this.#pausedUntil
      : Math.min(this.#pausedUntil, this.#triedAt + FRUITLESS_LOGIN_PAUSE_MS);
    if (now < until && !this.#flight.isBusy) return false;
    this.#triedAt = now;
    this.#pausedUntil =
      now + Math.min(FRUITLESS_LOGIN_PAUSE_MS * 2 ** this.#fruitless, LONGEST_FRUITLESS_PAUSE_MS);
    if (!this.#flight.isBusy) this.#fruitless += 1;
    try {
      await this.#login(method, signal);
    } catch (error) {
      // There is no new token, so nothing is known about the policy: the next refusal tries again.
      this.#pausedUntil = Number.NEGATIVE_INFINITY;
      this.#fruitless = 0;
      throw error;
    }
    return true;
  }

  async #login(method: LoginMethod, signal: AbortSignal): Promise<SecretValue> {
    const start = async (shared: AbortSignal): Promise<SecretValue> => {
      const before = this.#clock.monotonic();
      const login = await method.login(shared);
      this.#hold(login, before, login.ttlMs, method);
      return login.token;
    };
    try {
      return await this.#flight.run(start, signal);
    } catch (error) {
      throw signal.aborted ? cancelled(method.label, signal) : error;
    }
  }

  async #renew(held: Held, method: LoginMethod, signal: AbortSignal): Promise<void> {
    // Whoever comes while it runs, and after it failed, goes on with the token until the next login is due.
    this.#held = { ...held, renewAt: Number.POSITIVE_INFINITY, usesLeft: held.usesLeft - 1 };
    const before = this.#clock.monotonic();
    const renewed = await method.renew(held.token, signal);
    if (renewed === undefined || this.#held?.token !== held.token) return;
    const { usesLeft } = this.#held;
    const { token, isBatch } = held;
    this.#hold({ ...renewed, token, isBatch, uses: usesLeft + 1 }, before, held.firstTtlMs, method);
  }

  #hold(login: Login, from: number, firstTtlMs: number, method: LoginMethod): void {
    const { token, ttlMs, uses, isBatch } = login;
    const mayRenew = login.renewable && ttlMs >= firstTtlMs * WORTH_RENEWING;
    this.#held = {
      token,
      firstTtlMs,
      usesLeft: uses - 1,
      isBatch,
      method,
      renewAt: mayRenew ? from + ttlMs * RENEW_AT : Number.POSITIVE_INFINITY,
      loginAt: from + ttlMs * LOGIN_AT,
      expiresAt: from + ttlMs - Math.min(1_000, ttlMs / 20),
    };
  }

  /** The caller has a token that works; if this fails, whoever comes after the expiry sees why. */
  #inBackground(work: (signal: AbortSignal) => Promise<unknown>): void {
    work(AbortSignal.timeout(BACKGROUND_TIMEOUT_MS)).catch(() => {
      const held = this.#held;
      if (held === undefined) return;
      const pause = Math.max(0, held.expiresAt - this.#clock.monotonic()) / 4;
      this.#held = { ...held, loginAt: this.#clock.monotonic() + pause };
    });
  }
}
