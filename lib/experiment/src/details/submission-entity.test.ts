import { expect, it } from '@jest/globals';
import { LoaderCache, type Loaders, type SelectionInfo } from '@rhizome/subgraph';
import { type FieldNode, Kind, parse } from 'graphql';
import { defineSubmissions, type SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionProjection } from '../submissions/submissions.repository.js';
import { submissionEntity } from './submission-entity.js';

interface Survey extends SubmissionDocument {
  readonly title: string;
  readonly program: readonly string[];
}

interface Context {
  readonly loaders: Loaders;
  readonly surveys: {
    find(ids: readonly string[], projection?: SubmissionProjection): Promise<readonly Survey[]>;
  };
}

const survey = submissionEntity<Survey, Context>({
  type: 'Survey',
  collection: defineSubmissions<Survey>({
    name: 'surveys',
    schemaVersion: 1,
    required: ['title', 'program'],
    properties: { title: { bsonType: 'string' }, program: { bsonType: 'array' } },
  }),
  submissions: ({ surveys }) => surveys,
  stored: { state: ['taskId', 'finishedJobs'], submittedAt: ['createdAt'] },
});

/** Selection that the resolver of the one field of a text gets. */
function infoOf(text: string): SelectionInfo {
  const [definition] = parse(text).definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error('no operation');
  return { fieldNodes: definition.selectionSet.selections as readonly FieldNode[], fragments: {} };
}

/** A context of one operation, with what was read in it. */
function operation() {
  const reads: { readonly ids: readonly string[]; readonly fields: readonly string[] | 'all' }[] = [];
  const loaders = new LoaderCache();
  const surveys: Context['surveys'] = {
    find: async (ids, projection) => {
      reads.push({ ids, fields: projection ? Object.keys(projection).sort() : 'all' });
      return ids.filter((id) => id !== 'none').map((_id) => ({ _id }) as Survey);
    },
  };
  const context: Context = { loaders, surveys };
  loaders.bind(context as never);
  return { context, reads };
}

it.each<[string, string, readonly string[] | 'all']>([
  ['its id alone', '{ survey { __typename id } }', ['_id']],
  ['fields stored under their names', '{ survey { title submittedBy } }', ['_id', 'submittedBy', 'title']],
  [
    'what stands behind the others',
    '{ survey { state submittedAt } }',
    ['_id', 'createdAt', 'finishedJobs', 'taskId'],
  ],
  ['all of it, where nobody said what stands behind a field', '{ survey { title mood } }', 'all'],
])('reads for a submission %s', async (_what, text, fields) => {
  const { context, reads } = operation();
  expect(await survey.load('one', context, infoOf(text))).toEqual({ _id: 'one' });
  expect(reads).toEqual([{ ids: ['one'], fields }]);
});

it('loads submissions of one operation in one read, with the fields of all, each once', async () => {
  const { context, reads } = operation();
  const [title, state] = [infoOf('{ survey { title } }'), infoOf('{ survey { state } }')];
  const found = await Promise.all([
    survey.load('one', context, title),
    survey.load('two', context, state),
    survey.load('one', context, state),
    survey.load('none', context, title),
  ]);
  expect(found).toEqual([{ _id: 'one' }, { _id: 'two' }, { _id: 'one' }, null]);
  expect(reads).toEqual([
    { ids: ['one', 'two', 'none'], fields: ['_id', 'title', 'taskId', 'finishedJobs'].sort() },
  ]);
});

it('reads the fields that are selected of the nodes for a page', () => {
  const info = infoOf(
    '{ surveys { nodes { title } edges { cursor node { state } } pageInfo { endCursor } } }',
  );
  expect(Object.keys(survey.pageFields(info) ?? {})).toEqual(['_id', 'finishedJobs', 'taskId', 'title']);
});

it('requires the submission of a job details object', async () => {
  const { context } = operation();
  const info = infoOf('{ survey { id } }');
  expect(await survey.ofPlace({ submission: { _id: 'one' } }, {}, context, info)).toEqual({ _id: 'one' });
  await expect(survey.ofPlace({ submission: { _id: 'none' } }, {}, context, info)).rejects.toThrow('none');
});
