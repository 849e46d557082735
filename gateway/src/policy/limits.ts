/** Bounds that keep one client from taking what all need. */
export interface GatewayLimits {
  /** Bytes of one HTTP body, and of one WebSocket message. */
  readonly bodyBytes: number;
  /** Levels of nesting of a client's document, introspection aside. */
  readonly depth: number;
  /** Aliases in a client's document. */
  readonly aliases: number;
  /** Root fields of a client's operation, fragments included. */
  readonly rootFields: number;
  /** Directives in a client's document. */
  readonly directives: number;
  /** What an operation may cost, by `@cost` and `@listSize` of the schema, else by its objects: see `costOf`. */
  readonly cost: number;
  /** Entries that a list is taken to have whose size neither the schema nor an argument tells. */
  readonly assumedListSize: number;
  /** Client streams open at a time. */
  readonly streams: number;
  /** The same for one subject. */
  readonly streamsPerSubject: number;
  /** Events that a shared stream keeps for those of its listeners who are behind. */
  readonly bufferedEvents: number;
  /** The same in characters of their texts. */
  readonly bufferedCharacters: number;
  /** How long the upstream of a resumable stream is tried again after it broke, in milliseconds. */
  readonly reopenForMs: number;
  /** How long a WebSocket may take for its `connection_init`, in milliseconds. */
  readonly initWaitMs: number;
  /** Time between two pings of a WebSocket, and two comments of an event stream, in milliseconds. */
  readonly keepAliveMs: number;
}

/** What holds unless it is configured. */
export const defaultLimits: GatewayLimits = {
  bodyBytes: 96 * 1024 * 1024,
  depth: 25,
  aliases: 200,
  rootFields: 50,
  directives: 200,
  cost: 250_000,
  assumedListSize: 10,
  streams: 50_000,
  streamsPerSubject: 10_000,
  bufferedEvents: 4096,
  bufferedCharacters: 4 * 1024 * 1024,
  reopenForMs: 60_000,
  initWaitMs: 10_000,
  keepAliveMs: 12_000,
};
