import type { Agents } from '@rhizome/agents';
import type { OpenedAudit } from '@rhizome/audit';
import type { CallSigner, Verifier } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { EngineLimits, EngineOptions, TransportFactory } from '@rhizome/federation';
import type { Identity } from '@rhizome/identity';
import type { Logger } from '@rhizome/log';
import type { McpSettings } from './mcp/index.js';
import type {
  CallerRates,
  GatewayLimits,
  NamedPolicies,
  PersistedSettings,
  RatedCaller,
} from './policy/index.js';
import type { EndpointPolicy } from './transports/index.js';

/** Settings of a gateway. The caller opens the sockets. */
export interface GatewayOptions {
  /** A Federation 2 supergraph; the alternative is {@link registry}. */
  readonly supergraphSdl?: string;
  /** Location of the schema registry, whose live version is served. */
  readonly registry?: RegistryDatabase | undefined;
  /** Creates the transport of each subgraph; called once per subgraph and supergraph. */
  readonly transports: TransportFactory;
  /**
   * Verifies bearer tokens. Undefined disables authentication: serve such a gateway on the loopback interface
   * only.
   */
  readonly verifier: Verifier | undefined;
  /** Issuers, principals and Rhizome's own tokens; undefined: the gateway has none. The caller closes it. */
  readonly identity?: Identity | undefined;
  /** Accepts the tokens by which core processes ask for the rights of principals; default: nobody may ask. */
  readonly rightsReaders?: Verifier | undefined;
  /** Signer of the tokens for subgraphs, whose keys the gateway publishes. */
  readonly calls?: CallSigner | undefined;
  /** Addresses that may be registered for subgraphs; default: all. */
  readonly endpoints?: EndpointPolicy | undefined;
  /** Experiments of subgraphs outside the registry; default: the subgraph's name, none for core. */
  readonly experiments?: Readonly<Record<string, string | null>>;
  /** The audit log; undefined: nothing is recorded. The caller closes it after the gateway. */
  readonly audit?: OpenedAudit | undefined;
  /** Proposals of agents; undefined: the gateway keeps none. The caller closes it after the gateway. */
  readonly agents?: Agents | undefined;
  /** Pause between two searches for proposals whose gateway has ended, in milliseconds; default 5,000. */
  readonly proposalPauseMs?: number | undefined;
  readonly log: Logger;
  /** Addresses and networks of proxies whose `X-Forwarded-For` counts as the client's address. */
  readonly trustedProxies?: readonly string[];
  readonly limits?: Partial<GatewayLimits>;
  /** Operations that clients may send by their hash, and whether only these run; default: automatic. */
  readonly persistedOperations?: Partial<PersistedSettings> | undefined;
  /** Rates of callers that differ from the defaults; `off` for none. Without a verifier there are none. */
  readonly rates?: Partial<Record<RatedCaller, CallerRates>> | 'off' | undefined;
  readonly engineLimits?: Partial<EngineLimits>;
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** Callers that may use introspection: those with a token (default), everybody, nobody. */
  readonly introspection?: 'token' | 'open' | 'off';
  /** True if clients reach it by TLS only: responses then say so. */
  readonly isHttps?: boolean;
  /** Policies that `@policy` names; default: none, so that such fields are refused. */
  readonly policies?: NamedPolicies | undefined;
  /** Serves `/metrics` without a token; default false. */
  readonly openMetrics?: boolean;
  /** Folder of built pages; undefined: none are served. `builtPages` is the folder of this package. */
  readonly staticRoot?: string | undefined;
  /** Folder of the built dashboard, served at `/`; undefined: none. */
  readonly dashboardRoot?: string | undefined;
  /** Origins of storages from which the dashboard may read files; default none. */
  readonly fileOrigins?: readonly string[] | undefined;
  /** The endpoint for assistants; undefined: it is not served. */
  readonly mcp?: McpSettings | undefined;
  /** Planner; default: off the event loop. */
  readonly planning?: EngineOptions['planning'];
  /** Shows messages of subgraph errors without a code to clients; default false. */
  readonly uncodedMessages?: boolean;
  /**
   * Maximum number of concurrent calls by subgraph; default 256 for an experiment's, unlimited for core's.
   */
  readonly concurrency?: Readonly<Record<string, number>>;
}

/** Location of the schema registry. */
export interface RegistryDatabase {
  /** Connection string of the store. */
  readonly mongoUri: string;
  /** Name of the gateway's own database; default `gateway`. */
  readonly database?: string;
}
