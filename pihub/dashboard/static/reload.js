// The control process starts anew in a reload: wait until it answers with the file in force.

export async function settled(patience = 30000) {
  const end = Date.now() + patience;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  await pause(1000);
  while (Date.now() < end) {
    const answer = await fetch("/admin/api/v1/config").catch(() => null);
    const told = answer?.ok ? await answer.json().catch(() => null) : null;
    if (told && !told.pending && !told.reloading) return true;
    await pause(500);
  }
  return false;
}
