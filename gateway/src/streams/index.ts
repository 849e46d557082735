export type { ClientStream, StreamListener } from './client-stream.js';
export { SharedReads } from './shared-reads.js';
export { StreamHub, type StreamHubOptions } from './stream-hub.js';
export type { StreamEnd, StreamEvent, StreamObserver, StreamRequest } from './types.js';
