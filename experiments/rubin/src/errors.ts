/** Rubin's own errors, beside the catalogue's. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('RUBIN', {
  INPUT_INVALID: {
    http: 422,
    retry: 'never',
    message: '{field}: {value} is not valid; expected {expected}',
    description:
      'A field of a workflow has a value that is not allowed. Field, value and what would be right are named.',
  },
  GRAPH_CIRCULAR: {
    http: 422,
    retry: 'never',
    message: '{field}: {value} is a circle',
    description: 'Quanta need each other in a circle, which is named: none of them could ever start.',
  },
  WORKFLOW_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no workflow {value}',
    description: 'No such workflow.',
  },
});
