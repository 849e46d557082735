/** The contract of an endpoint, in whatever language it is written: the input of the suite and its findings. */

/** What a schema's rules complain of; as `checkExperimentSchema` of @rhizome/schema answers. */
export interface SchemaFinding {
  readonly rule: string;
  readonly where: string;
  readonly message: string;
}

/** An entity as it is tested. */
export interface EntityUnderContract {
  /** Keys and required fields of at least three that are there, without `__typename`. */
  readonly representations: readonly Readonly<Record<string, unknown>>[];
  /** What is selected of each, as GraphQL fields; default `__typename`. */
  readonly selection?: string;
}

/** A subscription as it is tested. */
export interface SubscriptionUnderContract {
  /** The arguments of the field that make it open. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** Input of the suite: one endpoint and what the suite needs to test it. */
export interface EndpointContract {
  /** `http://host:port/graphql`. */
  readonly url: string;
  /** The subgraph's name: the one field under which its additions sit. */
  readonly name: string;
  /** A token with access to all of its root fields. */
  readonly token: string;
  /** Valid tokens that each root field must refuse: names and tokens, as `{ 'another experiment': '…' }`. */
  readonly refused?: Readonly<Record<string, string>>;
  /** The SDL that is published for it; absent: what it serves is taken for published. */
  readonly published?: string;
  /** One spelling of SDLs that say the same, by which what is served and what is published are compared; white space aside unless given. */
  readonly spelling?: (sdl: string) => string;
  /** The project's rules, applied to the SDL that is served. */
  readonly checkSchema?: (sdl: string) => readonly SchemaFinding[];
  /** By type: each entity that it resolves. */
  readonly entities?: Readonly<Record<string, EntityUnderContract>>;
  /** By field: subscriptions that are opened. */
  readonly subscriptions?: Readonly<Record<string, SubscriptionUnderContract>>;
  /** Sends the process SIGTERM; present: draining is tested, as the last part. */
  readonly terminate?: () => void | Promise<void>;
  /** How long one answer may take, in milliseconds; default 10,000. */
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

/** One thing that was looked at. */
export interface ContractFinding {
  readonly part: ContractPart;
  /** What the endpoint promises. */
  readonly promise: string;
  readonly outcome: 'kept' | 'broken' | 'skipped';
  /** What was seen; for `skipped`, what the suite needs to test it. */
  readonly seen: string;
  /** How it is mended; where broken. */
  readonly cure?: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** A promise that was not kept, with the way to mend it; thrown inside checks, and reported as a finding. */
export class Broken extends Error {
  constructor(
    seen: string,
    readonly cure: string,
  ) {
    super(seen);
    this.name = 'Broken';
  }
}

/** A promise that cannot be tested with the input given. */
export class Skipped extends Error {
  constructor(needed: string) {
    super(needed);
    this.name = 'Skipped';
  }
}

/** One check: what is promised, and how it is looked at. Resolves to what was seen; throws {@link Broken} or {@link Skipped}. */
export interface Check {
  readonly part: ContractPart;
  readonly promise: string;
  run(): Promise<string>;
}
