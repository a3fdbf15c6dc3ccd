/** Damage as a faulty disk would do it: edits below the store, in its database. */
import { Level } from 'level';
import { dataFiles } from '../../src/log/data-directory.ts';

type Database = Level<Uint8Array, Uint8Array>;

/** Edits the database of a log that does not run. */
export async function change(
  directory: string,
  edit: (db: Database) => Promise<void>,
): Promise<void> {
  const db: Database = new Level(dataFiles(directory).database, {
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  await db.open();
  await edit(db);
  await db.close();
}

export async function flip(db: Database, key: Uint8Array, position: number): Promise<void> {
  const value = Buffer.from(await present(db, key));
  value[position] = (value[position] as number) ^ 1;
  await db.put(key, value);
}

export async function present(db: Database, key: Uint8Array): Promise<Uint8Array> {
  const value = await db.get(key);
  if (value === undefined) throw new Error('the test damages what is not there');
  return value;
}
