// Pauses, backfills and cancels.

function showSwitches(_box, _status) {}
function moreActs(_windows, _counts) { return []; }
async function lookMore() {}
