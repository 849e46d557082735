export { catalogue, catalogueByScope, type CatalogueEntry, type ErrorCode, type Retry } from './catalogue.js';
export { defineErrors, lookUp, type AnyErrorCode, type DefinedCode } from './registry.js';
export { DomainError, badInput, isDomainError, type ErrorDetails } from './domain-error.js';
export {
  formatGraphQLError,
  isInternalError,
  toGraphQLError,
  type ToGraphQLErrorOptions,
  withoutSuggestions,
} from './graphql.js';
export { registerErrorTranslator, type ErrorTranslator } from './translators.js';
export { isUserError, userError, type UserErrorShape } from './user-error.js';
export {
  type CodedInputError,
  type InputError,
  InputErrors,
  type InputPath,
  type NumberRange,
} from './input-errors.js';
export {
  type DecidingError,
  isPlannedEnd,
  isUncounted,
  type JobErrorKind,
  jobErrorsOfCore,
  mostUncountedAttempts,
  plannedErrors,
  plannedJobEnds,
  uncountedErrors,
  uncountedJobErrors,
} from './job-errors.js';
export { renderReference } from './reference.js';
export { formatValue, plainJson } from './format-value.js';
