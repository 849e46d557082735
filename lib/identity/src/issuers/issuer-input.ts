/** Rules for the records of issuers, the same for the file and the API. */
import type { InputErrors, InputPath } from '@rhizome/errors';
import { checkExperiment } from '../experiment-name.js';
import type { IssuerLogin, IssuerSettingsRecord, MappingRule, RuleCondition } from './issuer.document.js';
import { requiredRuleClaims } from './profiles.js';

const names = /^[a-z][a-z0-9-]{1,62}$/;
const ruleNames = /^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$/;
/** A scope by RFC 6749, section 3.3. */
const scopeForm = /^[!#-[\]-~]{1,500}$/;
const longestLifetimeSeconds = 7 * 86_400;
/** Claims that name a workload by a text that its owner can change or give up. */
const reusable = new Set(['sub', 'repository', 'repository_owner', 'project_path', 'namespace_path']);

/** Collects everything that is wrong with a record. */
export function checkIssuer(name: string, record: IssuerSettingsRecord, errors: InputErrors): void {
  errors.form(['name'], name, names, '2 to 63 lower-case letters, digits and `-`, beginning with a letter');
  checkAddress(['issuer'], record.issuer, errors);
  if (record.jwksUri !== null) checkAddress(['jwksUri'], record.jwksUri, errors);
  errors.list(['audiences'], record.audiences, 20, 1);
  record.audiences.forEach((one, at) => errors.text(['audiences', at], one, 1, 2000));
  errors.list(['experiments'], record.experiments, 200);
  record.experiments.forEach((one, at) => checkExperiment(['experiments', at], one, errors));
  errors.list(['kinds'], record.kinds, 2, 1);
  record.kinds.forEach((kind, at) => {
    if (kind !== 'HUMAN' && kind !== 'SERVICE') errors.add(['kinds', at], kind, 'HUMAN or SERVICE');
  });
  record.roles.forEach((role, at) => {
    if (role === 'PILOT') errors.add(['roles', at], role, 'another role; workers enrol instead');
  });
  errors.int(['maxLifetimeSeconds'], record.maxLifetimeSeconds, 60, longestLifetimeSeconds);
  if (record.login !== null) checkLogin(record.login, errors);
  errors.list(['rules'], record.rules, 500);
  errors.distinct(
    ['rules'],
    record.rules.map(({ name: rule }) => rule),
  );
  record.rules.forEach((rule, at) => checkRule(['rules', at], rule, record, errors));
}

function checkLogin({ clientId, scopes }: IssuerLogin, errors: InputErrors): void {
  errors.text(['login', 'clientId'], clientId, 1, 500);
  errors.list(['login', 'scopes'], scopes, 50);
  scopes.forEach((scope, at) => {
    errors.form(['login', 'scopes', at], scope, scopeForm, '1 to 500 characters without blanks');
  });
}

/** `http:` is for this machine only: keys that came over an open network are anybody's. */
function checkAddress(path: InputPath, text: string, errors: InputErrors): void {
  const url = text.length <= 2000 && URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = url !== undefined && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal);
  if (!isSafe || url.username !== '' || url.password !== '')
    errors.add(path, text, 'an https: address without user and password');
}

function checkRule(
  path: InputPath,
  rule: MappingRule,
  record: IssuerSettingsRecord,
  errors: InputErrors,
): void {
  errors.form([...path, 'name'], rule.name, ruleNames, '1 to 100 letters, digits, blanks, `.`, `_`, `-`');
  errors.list([...path, 'grants'], rule.grants, 100);
  rule.grants.forEach(({ experiment, roles }, at) => {
    checkExperiment([...path, 'grants', at, 'experiment'], experiment, errors);
    errors.list([...path, 'grants', at, 'roles'], roles, 10, 1);
  });
  errors.list([...path, 'queues'], rule.queues, 100);
  checkCondition([...path, 'when'], rule.when, record, errors);
}

function checkCondition(
  path: InputPath,
  when: RuleCondition,
  { profile }: IssuerSettingsRecord,
  errors: InputErrors,
): void {
  const { everyone, subjects, groups, scopes, entitlements, claims } = when;
  const lists = { subjects, groups, scopes, entitlements };
  for (const [field, values] of Object.entries(lists)) {
    errors.list([...path, field], values, 200);
    values.forEach((value, at) => errors.text([...path, field, at], value, 1, 1000));
  }
  errors.list([...path, 'claims'], claims, 20);
  claims.forEach(({ claim, values }, at) => {
    errors.text([...path, 'claims', at, 'claim'], claim, 1, 200);
    errors.list([...path, 'claims', at, 'values'], values, 200, 1);
  });
  const isEmpty = claims.length === 0 && Object.values(lists).every(({ length }) => length === 0);
  if (everyone === isEmpty) return checkWorkload(path, when, profile, errors);
  const expected = everyone ? 'false, because the rule has conditions' : 'true for a rule without conditions';
  errors.add([...path, 'isForEveryone'], everyone, expected);
}

/** Names of repositories and projects can be given up and taken by somebody else; their numbers cannot. */
function checkWorkload(
  path: InputPath,
  { subjects, claims }: RuleCondition,
  profile: IssuerSettingsRecord['profile'],
  errors: InputErrors,
): void {
  const required = requiredRuleClaims[profile];
  if (required === undefined) return;
  const expected = `a condition on ${required.join(' or ')}`;
  if (!claims.some(({ claim }) => required.includes(claim))) errors.add([...path, 'claims'], [], expected);
  if (profile === 'KUBERNETES') return;
  const text = 'the numeric ids; the text can be reused by somebody else';
  if (subjects.length > 0) errors.add([...path, 'subjects'], subjects, text);
  claims.forEach(({ claim }, at) => {
    if (reusable.has(claim)) errors.add([...path, 'claims', at, 'claim'], claim, text);
  });
}
