/** ATLAS's own errors, in addition to the catalogue. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('ATLAS', {
  TASK_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no production task {value}',
    description: 'No such production task.',
  },
});
