import { defaultMessageLimits, largestBodyBytes, smallBodyBytes } from '@rhizome/subgraph';

/** Bounds that keep one client from taking the resources of all. */
export interface GatewayLimits {
  /** Bytes of one HTTP body of a caller who may submit jobs or tasks. */
  readonly bodyBytes: number;
  /**
   * Bytes of one HTTP body of a caller who may append to job logs, whose control characters take six each.
   */
  readonly reportBodyBytes: number;
  /** Bytes of one HTTP body of any other caller, and of one WebSocket message. */
  readonly smallBodyBytes: number;
  /** Bytes of one WebSocket message before its `connection_init` was accepted. */
  readonly initFrameBytes: number;
  /** Bytes of a `connection_init`. */
  readonly initBytes: number;
  /** Open WebSockets whose `connection_init` was not accepted yet, in total and of one address. */
  readonly waitingSockets: number;
  readonly waitingSocketsPerAddress: number;
  /** Levels of nesting of a client's document, introspection aside. */
  readonly depth: number;
  /** Aliases in a client's document. */
  readonly aliases: number;
  /** Root fields of a client's operation, fragments included. */
  readonly rootFields: number;
  /** Directives in a client's document. */
  readonly directives: number;
  /**
   * Maximum cost of an operation, by `@cost` and `@listSize` of the schema, otherwise by its objects: see
   * `costOf`.
   */
  readonly cost: number;
  /** Assumed number of entries of a list whose size neither the schema nor an argument specifies. */
  readonly assumedListSize: number;
  /** Maximum number of open client streams. */
  readonly streams: number;
  /** Part of them that only pilots may open; at most a fifth. */
  readonly pilotStreams: number;
  /** Maximum number of open client streams of one subject. */
  readonly streamsPerSubject: number;
  /** Maximum number of accepted WebSockets of one subject, pilots aside. */
  readonly socketsPerSubject: number;
  /** Maximum numbers of open streams and of accepted WebSockets of the credential of one pilot. */
  readonly streamsPerPilot: number;
  readonly socketsPerPilot: number;
  /** Operations that run at once, those of pilots aside; with a slow event loop fewer do. */
  readonly runningOperations: number;
  /** Operations of one subject that wait for their turn, and the bytes of their bodies. */
  readonly waitingPerSubject: number;
  readonly waitingBytesPerSubject: number;
  /**
   * Calls that wait for work at once, such as `leaseWorkUnits`, in total, of one subject and of one attempt;
   * those of pilots aside. They are no running operations.
   */
  readonly waitingCalls: number;
  readonly waitingCallsPerSubject: number;
  readonly waitingCallsPerAttempt: number;
  /** Events that a shared stream keeps for listeners that are behind. */
  readonly bufferedEvents: number;
  /** Characters of the events that a shared stream keeps. */
  readonly bufferedCharacters: number;
  /** Time during which the broken upstream of a resumable stream is reopened, in milliseconds. */
  readonly reopenForMs: number;
  /** Time that a WebSocket has for its `connection_init`, in milliseconds. */
  readonly initWaitMs: number;
  /**
   * Time after which a WebSocket from which nothing arrives is pinged, and between two comments of an event
   * stream, in milliseconds.
   */
  readonly keepAliveMs: number;
  /** The same for WebSockets of pilots, which send heartbeats themselves. */
  readonly pilotKeepAliveMs: number;
}

/** Default limits. */
export const defaultLimits: GatewayLimits = {
  bodyBytes: largestBodyBytes,
  reportBodyBytes: 8 * 1024 * 1024,
  smallBodyBytes,
  initFrameBytes: defaultMessageLimits.initFrameBytes,
  initBytes: defaultMessageLimits.initBytes,
  waitingSockets: 1000,
  waitingSocketsPerAddress: 250,
  depth: 25,
  aliases: 200,
  rootFields: 50,
  directives: 200,
  cost: 250_000,
  assumedListSize: 10,
  streams: 50_000,
  pilotStreams: 10_000,
  streamsPerSubject: 10_000,
  socketsPerSubject: 10_000,
  streamsPerPilot: 1000,
  socketsPerPilot: 100,
  runningOperations: 256,
  waitingPerSubject: 256,
  waitingBytesPerSubject: 32 * 1024 * 1024,
  waitingCalls: 10_000,
  waitingCallsPerSubject: 5_000,
  waitingCallsPerAttempt: 16,
  bufferedEvents: 4096,
  bufferedCharacters: 4 * 1024 * 1024,
  reopenForMs: 60_000,
  initWaitMs: 10_000,
  keepAliveMs: 12_000,
  pilotKeepAliveMs: 60_000,
};
