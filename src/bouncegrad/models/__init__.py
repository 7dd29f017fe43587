"""What can a trained model do? Infer, forecast, leave an entity out, find an unseen one, be evaluated."""
