import type { Verifier } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { EngineLimits, EngineOptions, TransportFactory } from '@rhizome/federation';
import type { Logger } from '@rhizome/log';
import type { GatewayLimits } from './policy/index.js';

/** Settings of a gateway. It opens no socket; its caller does. */
export interface GatewayOptions {
  /** A Federation 2 supergraph; or {@link registry}. */
  readonly supergraphSdl?: string;
  /** Where the schema registry is: its live version is served. */
  readonly registry?: RegistryDatabase | undefined;
  /** How subgraphs are reached; asked once a subgraph and supergraph. */
  readonly transports: TransportFactory;
  /** Checks bearer tokens. Undefined: nobody is asked who they are, so serve it on the loopback interface only. */
  readonly verifier: Verifier | undefined;
  readonly log: Logger;
  readonly limits?: Partial<GatewayLimits>;
  readonly engineLimits?: Partial<EngineLimits>;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Who may ask for the schema: those with a token (default), everybody, nobody. */
  readonly introspection?: 'token' | 'open' | 'off';
  /** Whether `/metrics` is open to those without a token; default false. */
  readonly openMetrics?: boolean;
  /** Folder of built pages; undefined: none are served. `builtPages` is this package's own. */
  readonly staticRoot?: string | undefined;
  /** Folder of the built dashboard, which is served at `/`; undefined: none is. */
  readonly dashboardRoot?: string | undefined;
  /** Where plans are made; default: off the event loop. */
  readonly planning?: EngineOptions['planning'];
  /** Whether messages of subgraph errors without a code reach clients; default false. */
  readonly uncodedMessages?: boolean;
  /** Calls that may run at once by subgraph, where it shall be other than by default: 256 for an experiment's, none for core's. */
  readonly concurrency?: Readonly<Record<string, number>>;
}

/** Where the schema registry is. */
export interface RegistryDatabase {
  /** The connection string of the store. */
  readonly mongoUri: string;
  /** The gateway's own database; default `gateway`. */
  readonly database?: string;
}
