import azure.functions as func
from record import record

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="%TICK%")
def tick(timer: func.TimerRequest) -> None:
    record(function="tick", past_due=timer.past_due, status=timer.schedule_status)


@blueprint.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    record(function="at_start")
