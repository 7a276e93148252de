"""The optimizers against torch's own, step by step."""

import math

import keras
import numpy as np
import pytest
import torch
from keras import ops

from keras_osnet.optimizers import AMSGrad, CoupledSGD, CoupledWeightDecay

pytestmark = pytest.mark.backends

SHAPES = ((3, 3, 4), (4,), (4, 2))
STEPS = 20


def torch_sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.065, momentum=0.9, weight_decay=5e-4)


def torch_amsgrad(parameters):
    return torch.optim.Adam(
        parameters, lr=0.0015, betas=(0.9, 0.999), eps=1e-8, weight_decay=5e-4, amsgrad=True
    )


PAIRS = {
    "sgd": (lambda **kwargs: CoupledSGD(0.065, momentum=0.9, **kwargs), torch_sgd),
    "amsgrad": (lambda **kwargs: AMSGrad(0.0015, **kwargs), torch_amsgrad),
}


@pytest.fixture(params=PAIRS)
def pair(request):
    return PAIRS[request.param]


def start():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype("float32") for shape in SHAPES]


def gradients(size=1e-2, steps=STEPS):
    rng = np.random.default_rng(1)
    return [
        [(size * rng.standard_normal(shape)).astype("float32") for shape in SHAPES]
        for _ in range(steps)
    ]


def apply(optimizer, grads, variables):
    """One step, the way the trainer of this backend takes it."""
    grads = [ops.convert_to_tensor(grad) for grad in grads]
    if keras.backend.backend() != "jax":
        optimizer.apply(grads, variables)
        return
    if not optimizer.built:
        optimizer.build(variables)
    trained, state = optimizer.stateless_apply(
        [variable.value for variable in optimizer.variables],
        grads,
        [variable.value for variable in variables],
    )
    owners = [*variables, *optimizer.variables]
    for variable, value in zip(owners, [*trained, *state], strict=True):
        variable.assign(value)


def ours(optimizer, steps):
    variables = [keras.Variable(value) for value in start()]
    for grads in steps:
        apply(optimizer, grads, variables)
    return [ops.convert_to_numpy(variable) for variable in variables]


def torchs(make, steps, clip=None):
    parameters = [torch.nn.Parameter(torch.tensor(value)) for value in start()]
    optimizer = make(parameters)
    for grads in steps:
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = torch.tensor(grad)
        if clip:
            clip(parameters)
        optimizer.step()
    return [parameter.detach().cpu().numpy() for parameter in parameters]


def assert_equal(values, expected, atol=1e-6):
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=0, atol=atol)


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4, 1e-7])
def test_steps_are_torch_s(pair, size):
    make, reference = pair
    steps = gradients(size)
    assert_equal(ours(make(), steps), torchs(reference, steps))


@pytest.mark.parametrize("options", [{"momentum": 0.9, "nesterov": True}, {"momentum": 0.0}])
def test_other_momentum_is_torch_s(options):
    steps = gradients()
    make = lambda p: torch.optim.SGD(p, lr=0.065, weight_decay=5e-4, **options)  # noqa: E731
    assert_equal(ours(CoupledSGD(0.065, **options), steps), torchs(make, steps))


def test_momentum_takes_a_new_rate_at_once(pair):
    make, reference = pair
    rates = [0.065] * 10 + [0.0065] * 10
    optimizer = type(make()).from_config({**make().get_config(), "learning_rate": rates[0]})
    variables = [keras.Variable(value) for value in start()]
    parameters = [torch.nn.Parameter(torch.tensor(value)) for value in start()]
    torchs_own = reference(parameters)
    for rate, grads in zip(rates, gradients(), strict=True):
        optimizer.learning_rate = rate
        apply(optimizer, grads, variables)
        torchs_own.param_groups[0]["lr"] = rate
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = torch.tensor(grad)
        torchs_own.step()
    expected = [parameter.detach().cpu().numpy() for parameter in parameters]
    assert_equal([ops.convert_to_numpy(variable) for variable in variables], expected)


def test_decay_and_epsilon_are_not_keras_s_own():
    """What the two classes are for: Keras's arguments of the same names are off by this much."""

    def distance(optimizer, reference, size):
        steps = gradients(size)
        pairs = zip(ours(optimizer, steps), torchs(reference, steps), strict=True)
        return max(float(np.abs(value - other).max()) for value, other in pairs)

    decoupled = keras.optimizers.SGD(0.065, momentum=0.9, weight_decay=5e-4)
    assert distance(decoupled, torch_sgd, 1e-2) > 1e-3
    adam = keras.optimizers.Adam(0.0015, amsgrad=True, epsilon=1e-8)
    without_decay = lambda p: torch.optim.Adam(p, lr=0.0015, amsgrad=True)  # noqa: E731
    assert distance(adam, without_decay, 1e-4) > 1e-4


def test_gradients_are_clipped_before_the_l2_term(pair):
    make, reference = pair
    steps = gradients(size=1.0)

    def each(parameters):
        for parameter in parameters:
            torch.nn.utils.clip_grad_norm_([parameter], 0.1)

    assert_equal(ours(make(clipnorm=0.1), steps), torchs(reference, steps, each), atol=1e-5)
    together = lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.1)  # noqa: E731
    clipped = ours(make(global_clipnorm=0.1), steps)
    assert_equal(clipped, torchs(reference, steps, together), atol=1e-5)


def test_accumulated_gradients_get_one_l2_term(pair):
    make, reference = pair
    steps = gradients(steps=4)
    means = [
        [np.mean(parts, axis=0) for parts in zip(*steps[first : first + 2], strict=True)]
        for first in (0, 2)
    ]
    assert_equal(ours(make(gradient_accumulation_steps=2), steps), torchs(reference, means))


def test_the_loss_scale_is_taken_out_before_the_l2_term(pair):
    make, reference = pair
    steps = gradients(steps=3)
    scaled = [[grad * 1024 for grad in grads] for grads in steps]
    assert_equal(ours(make(loss_scale_factor=1024.0), scaled), torchs(reference, steps))
    dynamic = keras.optimizers.LossScaleOptimizer(make(), initial_scale=1024.0)
    assert_equal(ours(dynamic, scaled), torchs(reference, steps))


def test_moving_averages_follow_the_decayed_variables(pair):
    make, reference = pair
    steps = gradients(steps=3)
    average = None
    for count in (1, 2, 3):
        now = torchs(reference, steps[:count])
        pairs = zip(average or now, now, strict=True)
        average = [(before + after) / 2 for before, after in pairs]
    optimizer = make(use_ema=True, ema_momentum=0.5)
    variables = [keras.Variable(value) for value in start()]
    for grads in steps:
        apply(optimizer, grads, variables)
    optimizer.finalize_variable_values(variables)
    assert_equal([ops.convert_to_numpy(variable) for variable in variables], average)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_variable_without_gradient_is_left_alone(pair):
    kept, moved = keras.Variable([1.0]), keras.Variable([1.0])
    pair[0]().apply([None, ops.convert_to_tensor([1.0])], [kept, moved])
    assert ops.convert_to_numpy(kept) == [1.0]
    assert ops.convert_to_numpy(moved) < [1.0]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras takes no others")
def test_variables_of_tensorflow_itself(pair):
    import tensorflow as tf

    make, reference = pair
    steps = gradients(steps=3)
    variables = [tf.Variable(value, name="mine") for value in start()]
    optimizer = make()
    optimizer.exclude_from_weight_decay(var_names=["other"])
    optimizer.build(variables)
    step = tf.function(lambda *grads: optimizer.apply(grads, variables))
    for grads in steps:
        step(*grads)
    assert_equal([variable.numpy() for variable in variables], torchs(reference, steps))


@pytest.mark.parametrize("jit", [False, True])
def test_fit_adds_the_term_to_kernel_bias_and_norm(jit):
    """A loss of zero slope: what moves the variables is the decay alone."""
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    )
    for variable in model.trainable_variables:
        variable.assign(ops.ones(variable.shape))
    model.compile(
        CoupledSGD(0.5, l2=0.1),
        loss=lambda y_true, y_pred: 0 * ops.sum(y_pred, axis=-1),
        jit_compile=jit and keras.backend.backend() != "torch",
    )
    model.fit(np.ones((8, 3)), np.ones(8), batch_size=4, verbose=0)
    assert len(model.trainable_variables) == 4
    for variable in model.trainable_variables:
        np.testing.assert_allclose(ops.convert_to_numpy(variable), 0.95**2, rtol=1e-6)


def test_a_saved_model_goes_on_training_where_it_was(pair, tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(pair[0](l2=0.01, clipnorm=1.0, name="mine"), loss="mse")
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is type(model.optimizer)
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for one in (model, again):
        one.fit(images, labels, epochs=3, shuffle=False, verbose=0)
    assert_equal(again.get_weights(), model.get_weights())


def test_a_learning_rate_schedule_is_followed_and_restored(pair):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.01, 0.001])
    optimizer = type(pair[0]())(schedule, l2=0.5)
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert restored.get_config() == optimizer.get_config()
    variable = keras.Variable([1.0])
    for rate in (0.1, 0.1, 0.1, 0.01):
        assert float(restored.learning_rate) == pytest.approx(rate)
        restored.apply([ops.convert_to_tensor([0.0])], [variable])
    assert ops.convert_to_numpy(variable) < [1.0]


def test_any_keras_optimizer_can_have_the_term():
    class L2RMSprop(CoupledWeightDecay, keras.optimizers.RMSprop):
        pass

    steps = gradients()
    plain = keras.optimizers.RMSprop(0.01)
    variables = [keras.Variable(value) for value in start()]
    for grads in steps:
        decayed = [
            ops.convert_to_tensor(grad) + 0.1 * variable.value
            for grad, variable in zip(grads, variables, strict=True)
        ]
        plain.apply(decayed, variables)
    expected = [ops.convert_to_numpy(variable) for variable in variables]
    assert_equal(ours(L2RMSprop(0.01, l2=0.1), steps), expected)


def test_wrong_arguments_are_refused():
    with pytest.raises(
        ValueError, match=r"`weight_decay` must not be.*Received: weight_decay=0.0005"
    ):
        CoupledSGD(0.065, momentum=0.9, weight_decay=5e-4)
    with pytest.raises(
        ValueError, match=r"`weight_decay` must not be.*Received: weight_decay=0.0005"
    ):
        AMSGrad(weight_decay=5e-4)
    for make in (CoupledSGD, AMSGrad):
        with pytest.raises(ValueError, match=r"`l2` must be.*Received: -1"):
            make(l2=-1)
        for rate in (math.nan, math.inf, -0.1):
            with pytest.raises(ValueError, match=r"`learning_rate` must be.*Received: "):
                make(learning_rate=rate)
    for name in ("beta_1", "beta_2"):
        for value in (1.0, 0, 1.5):
            with pytest.raises(ValueError, match=rf"`{name}` must be.*Received: {value}"):
                AMSGrad(**{name: value})
    with pytest.raises(ValueError, match=r"`epsilon` must be.*Received: "):
        AMSGrad(epsilon=-1e-8)
    with pytest.raises(ValueError, match=r"`nesterov` must be.*Received: 'no'"):
        CoupledSGD(nesterov="no")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("clipnorm", [-1, 0]),
        ("clipvalue", [-1, 0]),
        ("global_clipnorm", [-1, 0]),
        ("loss_scale_factor", [-1, 0]),
        ("use_ema", [2, "yes"]),
        ("ema_momentum", [1.5, -0.1]),
        ("ema_overwrite_frequency", [0, 1.5]),
        ("gradient_accumulation_steps", [1, 2.5]),
    ],
)
def test_values_that_keras_takes_as_they_are_are_refused(pair, name, values):
    make, _ = pair
    for value in values:
        with pytest.raises(ValueError, match=rf"`{name}` must be.*Received: .*{value}"):
            make(**{name: value})


def test_variables_may_be_exempt_from_the_term(pair):
    decayed, exempt = keras.Variable([1.0], name="kernel"), keras.Variable([1.0], name="bias")
    optimizer = pair[0](l2=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    apply(optimizer, [np.zeros(1, "float32")] * 2, [decayed, exempt])
    assert ops.convert_to_numpy(decayed) < [1.0]
    assert ops.convert_to_numpy(exempt) == [1.0]


def test_exemptions_are_saved_with_the_optimizer(pair):
    """Keras forgets them, so that a loaded model would go on with the term for all variables."""
    names = ("kernel", "bias", "gamma")
    optimizer = pair[0](l2=0.1)
    assert "exempt_names" not in optimizer.get_config()
    variables = [keras.Variable([1.0], name=name) for name in names]
    optimizer.exclude_from_weight_decay(var_list=variables[2:], var_names=["bias"])
    optimizer.build(variables)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    others = [keras.Variable([1.0], name=name) for name in names]
    for one, its in ((optimizer, variables), (again, others)):
        apply(one, [np.zeros(1, "float32")] * 3, its)
        decayed, *exempt = (ops.convert_to_numpy(each) for each in its)
        assert decayed < [1.0]
        assert exempt == [[1.0], [1.0]]


def test_a_variable_that_shares_the_path_of_an_exempt_one_is_decayed(pair):
    one, other = (keras.Variable([1.0], name="bias") for _ in range(2))
    optimizer = pair[0](l2=0.1)
    optimizer.exclude_from_weight_decay(var_list=[one])
    apply(optimizer, [np.zeros(1, "float32")] * 2, [one, other])
    assert ops.convert_to_numpy(one) == [1.0]
    assert ops.convert_to_numpy(other) < [1.0]


def test_slots_of_a_variable_without_gradient_stay(pair):
    """Beside others, a variable takes the steps that it would take alone."""
    steps = gradients(steps=6)
    together, alone = pair[0](), pair[0]()
    variables = [keras.Variable(value) for value in start()]
    single = keras.Variable(start()[1])
    together.build(variables)
    alone.build([single])
    for number, grads in enumerate(steps):
        present = [0, 1, 2] if number % 2 else [0, 2]
        tensors = [ops.convert_to_tensor(grad) for grad in grads]
        together.apply([tensors[i] for i in present], [variables[i] for i in present])
        if 1 in present:
            alone.apply([tensors[1]], [single])
        else:
            alone.iterations.assign_add(1)
    pairs = ((variables[0], 0), (variables[2], 2))
    expected = ours(pair[0](), steps)
    assert_equal([ops.convert_to_numpy(each) for each, _ in pairs], [expected[i] for _, i in pairs])
    assert_equal([ops.convert_to_numpy(variables[1])], [ops.convert_to_numpy(single)])


def test_variables_of_two_dtypes(pair):
    one, other = keras.Variable([1.0]), keras.Variable([1.0, 1.0], dtype="float16")
    optimizer = pair[0](l2=0.0)
    apply(optimizer, [np.ones(1, "float32"), np.ones(2, "float16")], [one, other])
    np.testing.assert_allclose(ops.convert_to_numpy(one), ops.convert_to_numpy(other)[:1], 1e-3)
    dtypes = {str(each.dtype) for each in optimizer.variables if len(each.shape)}
    assert dtypes == {"float32", "float16"}


def test_slots_are_vectors(pair):
    """The training step of a network of many variables is quick to trace and compile."""
    optimizer = pair[0]()
    optimizer.build([keras.Variable(value) for value in start()])
    size = sum(value.size for value in start())
    slots = [each for each in optimizer.variables if len(each.shape)]
    assert [tuple(each.shape) for each in slots] == [(size,)] * len(optimizer.slot_names)
