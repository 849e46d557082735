import { Title } from './title.js';

/** The page of an object that is not there, or that the viewer may not see. */
export function NoSuch({
  what,
  id,
}: {
  what: 'task' | 'job' | 'workflow' | 'queue' | 'entry' | 'proposal';
  id: string;
}) {
  return (
    <>
      <Title>{`No such ${what}`}</Title>
      <p role="alert">{`There is no ${what} ${id}, or you may not see it.`}</p>
    </>
  );
}
