/**
 * The contract of an endpoint, in whatever language it is written: the input of the suite and its findings.
 */
import type { CallToken } from './call-token.js';

/** A violation of a schema rule, as `checkExperimentSchema` of @rhizome/schema returns it. */
export interface SchemaFinding {
  readonly rule: string;
  readonly where: string;
  readonly message: string;
}

/** An entity to test. */
export interface EntityUnderContract {
  /** Keys and required fields of at least three existing objects, without `__typename`. */
  readonly representations: readonly Readonly<Record<string, unknown>>[];
  /** Fields selected of each, as GraphQL; default `__typename`. */
  readonly selection?: string;
}

/** A subscription to test. */
export interface SubscriptionUnderContract {
  /** Arguments of the field with which it opens. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** Input of the suite: one endpoint and what the suite needs to test it. */
export interface EndpointContract {
  /** `http://host:port/graphql`. */
  readonly url: string;
  /** The subgraph's name: the one field under which its additions sit. */
  readonly name: string;
  /** Token with access to all of its root fields. */
  readonly token: string;
  /** Turns a token into the one that the gateway gives the endpoint; default: the token itself. */
  readonly callToken?: CallToken;
  /** Valid tokens that each root field must refuse: names and tokens, as `{ 'another experiment': '…' }`. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Published SDL; default: the SDL that it serves. */
  readonly published?: string;
  /**
   * Canonical form in which the served and the published SDL are compared; by default, white space is
   * ignored.
   */
  readonly spelling?: (sdl: string) => string;
  /** The project's rules, applied to the SDL that is served. */
  readonly checkSchema?: (sdl: string) => readonly SchemaFinding[];
  /** Each entity that it resolves, by type. */
  readonly entities?: Readonly<Record<string, EntityUnderContract>>;
  /** Subscriptions to open, by field. */
  readonly subscriptions?: Readonly<Record<string, SubscriptionUnderContract>>;
  /** Sends SIGTERM to the process. If given, draining is tested last. */
  readonly terminate?: () => void | Promise<void>;
  /** Timeout of one response, in milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

/** The parts of the contract, in the order in which they are tested. */
export const contractParts = [
  'health',
  'sdl',
  'rules',
  'entities',
  'nullability',
  'policies',
  'streams',
  'limits',
  'drain',
] as const;

/** A part of the contract. */
export type ContractPart = (typeof contractParts)[number];

/** Result of one check. */
export interface ContractFinding {
  readonly part: ContractPart;
  /** Promise of the endpoint. */
  readonly promise: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Observation; for `skipped`, the input that the suite needs. */
  readonly seen: string;
  /** Advice on how to fix it; for failed checks only. */
  readonly fix?: string;
  /** Duration, in milliseconds. */
  readonly ms: number;
}

/** A violated promise with advice on how to fix it. Thrown inside checks and reported as a finding. */
export class CheckFailed extends Error {
  constructor(
    seen: string,
    readonly fix: string,
  ) {
    super(seen);
    this.name = 'Broken';
  }
}

/** A promise that cannot be tested with the input given. */
export class CheckSkipped extends Error {
  constructor(needed: string) {
    super(needed);
    this.name = 'Skipped';
  }
}

/** One check. `run` resolves to the observation; throws {@link CheckFailed} or {@link CheckSkipped}. */
export interface Check {
  readonly part: ContractPart;
  readonly promise: string;
  run(): Promise<string>;
}
