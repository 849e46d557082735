/** What stands behind the types of this folder's SDL. */
export type { QueueDocument as QueueMapper } from '../queue.document.js';
