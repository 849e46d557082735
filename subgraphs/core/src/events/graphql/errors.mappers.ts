/** Types behind the SDL types of failures. */
export type { ErrorSummary as ErrorSummaryMapper } from '../failures/error-summary.service.js';
export type { ErrorGroup as ErrorGroupMapper } from '../failures/error-summary.types.js';
export type { ErrorTotal as ErrorTotalMapper } from '../failures/error-summary.types.js';
export type { WasteByReason as WasteByReasonMapper } from '../failures/error-summary.types.js';
